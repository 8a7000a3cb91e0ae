"""Intake: all or nothing, one promise, few publications, and what if something is away."""

import asyncio
import hashlib
from typing import Any

import orjson
import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.errors import AppError, BodyLimit
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_SOON
from ptu_optimizer.requests.bodies import INLINE_ITEM_BYTES, Bodies, inputs_blob, offsets_blob
from ptu_optimizer.requests.dispatch.decoding import decode
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.id_keys import FixedIds, Ids, RotatingIds
from ptu_optimizer.requests.ids import ForgedId, IdMint
from ptu_optimizer.requests.intake.call_body import MAX_REPORTED_PROBLEMS, CallLimits
from ptu_optimizer.requests.intake.first_events import FirstEvents
from ptu_optimizer.requests.intake.group_record import MAX_IDEMPOTENCY_KEY_CHARS, GroupPromises
from ptu_optimizer.requests.intake.intake import Accepted, Intake
from ptu_optimizer.requests.intake.validation import ItemRules
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.urgency import Urgency
from tests.support.id_keys import FakeVault
from tests.support.publishing import FakePublisher
from tests.support.stores import FakeBlobs, FakeGroups

TIMING = Timing(
    call_limit=300, write_budget=30, skew=30, hold=30, invocation_budget=120, turn_wait=6_600
)
DAY, WEEK = 86_400.0, 604_800.0
MINT = IdMint(b"a key of this test")
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "Why?"}]}


class Scene:
    """An intake with stores in memory, and what they hold."""

    def __init__(
        self,
        publisher: FakePublisher | None = None,
        *,
        groups: FakeGroups | None = None,
        blobs: FakeBlobs | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.groups = groups or FakeGroups()
        self.blobs = blobs or FakeBlobs()
        self.publisher = publisher or FakePublisher()
        self.clock = VirtualClock()
        self.intake = Intake(
            promises=GroupPromises(
                ids=ids or FixedIds(MINT),
                groups=self.groups,
                blobs=self.blobs,
                clock=self.clock,
                timing=TIMING,
                hub_retention_seconds=WEEK,
            ),
            first_events=FirstEvents(
                publisher=self.publisher, urgency=Urgency(soon=900), clock=self.clock
            ),
            rules=ItemRules(
                deployments=("ptu",),
                default_deployment="ptu",
                default_deadline_seconds=DAY,
                longest_deadline_seconds=WEEK,
                spills_over=("ptu",),
            ),
            limits=CallLimits(max_items=5_000, body=BodyLimit(1_000_000, "MAX_BODY_BYTES")),
            clock=self.clock,
        )

    async def accept(self, content: Any, **options: Any) -> Accepted:
        raw = content if isinstance(content, bytes) else orjson.dumps(content)
        return await self.intake.accept(raw, **options)

    async def refused(self, content: Any, **options: Any) -> AppError:
        with pytest.raises(AppError) as raised:
            await self.accept(content, **options)
        return raised.value

    @property
    def published(self) -> dict[str, list[RequestEvent]]:
        found: dict[str, list[RequestEvent]] = {}
        for hub, batch in self.publisher.batches:
            for outgoing in batch:
                event = decode(outgoing.payload)
                assert isinstance(event, RequestEvent)
                found.setdefault(hub, []).append(event)
        return found

    @property
    def events(self) -> list[RequestEvent]:
        return [event for events in self.published.values() for event in events]

    def left_no_trace(self) -> bool:
        return not (self.groups.records or self.blobs.blobs or self.publisher.batches)


# --- the usual way -------------------------------------------------------------------------------


@in_virtual_time
async def test_an_array_becomes_one_group_and_an_event_per_item() -> None:
    scene = Scene()
    accepted = await scene.accept([BODY, {"body": BODY, "custom_id": "row-2"}])
    assert accepted.detail == "2 event(s) sent successfully"
    assert [e.request_id for e in scene.events] == accepted.request_ids
    assert [e.custom_id for e in scene.events] == [None, "row-2"]
    assert all((e.slot, e.deferrals, e.not_before) == (1, 0, None) for e in scene.events)
    assert all(e.body == BODY for e in scene.events)
    (group,) = scene.groups.of_type("group")
    assert group["id"] == MINT.parse_request(accepted.request_ids[0]).group.text
    assert group["count"] == 2


@in_virtual_time
async def test_one_item_needs_no_array() -> None:
    assert len((await Scene().accept(BODY)).request_ids) == 1


@in_virtual_time
async def test_many_items_leave_in_one_publication_per_hub() -> None:
    scene = Scene()
    high = {"body": BODY, "priority": "high"}
    await scene.accept([BODY, high] * 250)
    assert sorted((hub, len(events)) for hub, events in scene.publisher.batches) == [
        (REQUESTS, 250),
        (REQUESTS_SOON, 250),
    ]


@in_virtual_time
async def test_new_requests_are_spread_over_partitions() -> None:
    scene = Scene()
    await scene.accept([BODY] * 10)
    assert {event.key for _, batch in scene.publisher.batches for event in batch} == {None}


@pytest.mark.parametrize(
    ("fields", "hub"),
    [
        pytest.param({}, REQUESTS, id="a day's time"),
        pytest.param({"priority": "high"}, REQUESTS_SOON, id="high priority"),
        pytest.param({"completion_window": "900s"}, REQUESTS_SOON, id="at the limit of soon"),
        pytest.param({"completion_window": "901s"}, REQUESTS, id="just beyond soon"),
    ],
)
@in_virtual_time
async def test_what_must_overtake_goes_to_the_hub_for_it(fields: dict[str, Any], hub: str) -> None:
    scene = Scene()
    await scene.accept({"body": BODY, **fields})
    assert list(scene.published) == [hub]
    assert scene.publisher.asked_ready == [hub], "no other hub needs to be there"


@in_virtual_time
async def test_the_promise_is_stored_before_anything_is_published() -> None:
    scene = Scene(FakePublisher(failures=1))
    accepted = await scene.accept([BODY] * 3)
    (group,) = scene.groups.of_type("group")
    assert len(group["items"]) == 3
    assert len(accepted.request_ids) == 3


@in_virtual_time
async def test_a_group_outlives_its_latest_deadline_the_hub_and_a_lease() -> None:
    scene = Scene()
    accepted = await scene.accept([BODY, {"body": BODY, "completion_window": "2d"}])
    group = MINT.parse_request(accepted.request_ids[0]).group
    least = EPOCH + 2 * DAY + WEEK + TIMING.lease + TIMING.skew
    assert least <= group.ends_at <= least + 121
    (record,) = scene.groups.of_type("group")
    assert record["ttl"] == int(group.ends_at - EPOCH)
    assert record["earliest_deadline"] == EPOCH + DAY
    assert record["latest_deadline"] == EPOCH + 2 * DAY
    assert record["bucket"] == group.bucket


@in_virtual_time
async def test_the_promise_notes_which_deadline_may_be_kept_by_spillover_first() -> None:
    scene = Scene()
    may = {"body": BODY, "spillover": "before_deadline"}
    await scene.accept([BODY, may | {"completion_window": "2d"}, may | {"completion_window": "3d"}])
    (record,) = scene.groups.of_type("group")
    assert record["earliest_spillover"] == EPOCH + 2 * DAY
    assert [item.get("spillover") for item in record["items"]] == [None] + ["before_deadline"] * 2


@in_virtual_time
async def test_the_tenant_is_signed_into_the_ids_and_noted_with_the_promise() -> None:
    scene = Scene()
    (request_id,) = (await scene.accept(BODY, tenant="research")).request_ids
    assert scene.groups.of_type("group")[0]["tenant"] == "research"
    assert [event.tenant for event in scene.events] == ["research"]
    assert MINT.parse_request(request_id, tenant="research").index == 0
    with pytest.raises(ForgedId):
        MINT.parse_request(request_id, tenant="sales")


@in_virtual_time
async def test_two_tenants_may_use_the_same_idempotency_key() -> None:
    scene = Scene()
    calls = [await scene.accept(BODY, tenant=t, idempotency_key="k") for t in ("a", "b", "a")]
    assert calls[0].request_ids == calls[2].request_ids != calls[1].request_ids
    assert len(scene.groups.of_type("group")) == 2


# --- large inputs --------------------------------------------------------------------------------


def long(length: int = INLINE_ITEM_BYTES + 1) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "x" * length}]}


@in_virtual_time
async def test_large_inputs_go_to_a_blob_and_can_be_read_from_their_event() -> None:
    scene = Scene()
    accepted = await scene.accept([BODY, long()])
    group = MINT.parse_request(accepted.request_ids[0]).group
    assert set(scene.blobs.blobs) == {inputs_blob(group.text), offsets_blob(group.text)}
    assert "items" not in scene.groups.of_type("group")[0]
    short_event, long_event = scene.events
    assert short_event.body == BODY
    assert long_event.body is None
    assert await Bodies(blobs=scene.blobs).body(long_event, group) == long()


@in_virtual_time
async def test_small_inputs_need_no_blob_store() -> None:
    scene = Scene()
    scene.blobs.away = True
    await scene.accept([BODY] * 100)
    assert scene.groups.of_type("group")[0]["in_blob"] is False


# --- refusals: nothing is kept -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(b"", 400, "invalid_json", id="empty"),
        pytest.param(b"hello", 400, "invalid_json", id="not JSON"),
        pytest.param(b"[{}", 400, "invalid_json", id="half of JSON"),
        pytest.param(b"\xff", 400, "invalid_json", id="no UTF-8"),
        pytest.param(b'["\\ud800"]', 400, "invalid_json", id="half a surrogate pair"),
        pytest.param(b"[" * 3_000, 400, "invalid_json", id="nested without end"),
        pytest.param(b"[]", 400, "no_items", id="empty array"),
        pytest.param(b"null", 400, "invalid_items", id="null"),
        pytest.param(b"5", 400, "invalid_items", id="a number"),
        pytest.param([BODY, "x"], 400, "invalid_items", id="one item that is none"),
        pytest.param([BODY] * 5_001, 413, "too_many_items", id="one item too many"),
        pytest.param(b" " * 1_000_001, 413, "body_too_large", id="one byte too many"),
    ],
)
@in_virtual_time
async def test_a_call_is_refused_whole(content: Any, status: int, code: str) -> None:
    scene = Scene()
    error = await scene.refused(content)
    assert (error.status, error.code) == (status, code)
    assert scene.left_no_trace()


@in_virtual_time
async def test_the_limits_themselves_are_accepted() -> None:
    assert len((await Scene().accept([BODY] * 5_000)).request_ids) == 5_000
    padded = orjson.dumps(BODY)
    assert await Scene().accept(padded + b" " * (1_000_000 - len(padded)))


@in_virtual_time
async def test_a_limit_names_its_setting() -> None:
    assert "MAX_ITEMS" in (await Scene().refused([BODY] * 5_001)).message
    assert "MAX_BODY_BYTES" in (await Scene().refused(b" " * 1_000_001)).message


@in_virtual_time
async def test_a_bad_item_is_told_by_index_path_and_reason() -> None:
    bad = {"body": {"messages": [{"role": "boss"}]}}
    error = await Scene().refused([BODY, bad])
    assert error.details is not None
    (detail,) = error.details
    assert (detail["index"], detail["path"]) == (1, "body.messages.0.role")
    assert error.param == "[1].body.messages.0.role"
    assert "1 item(s)" in error.message


@in_virtual_time
async def test_a_flood_of_problems_is_cut() -> None:
    error = await Scene().refused([{"x": 1}] * 500)
    assert error.details is not None
    assert len(error.details) == MAX_REPORTED_PROBLEMS
    assert "500 item(s)" in error.message


@in_virtual_time
async def test_items_with_several_problems_are_counted_once() -> None:
    error = await Scene().refused([{"body": {"messages": [], "stream": True}}, BODY])
    assert "1 item(s)" in error.message


@in_virtual_time
async def test_bodies_nested_too_deep_to_be_written_are_a_400() -> None:
    deep = b'{"messages": [{"role": "user", "content": ' + b"[" * 400 + b"]" * 400 + b"}]}"
    assert (await Scene().refused(deep)).status == 400


# --- something is away: nothing was promised -----------------------------------------------------


@in_virtual_time
async def test_a_hub_that_is_away_is_a_503_before_anything_is_promised() -> None:
    scene = Scene(FakePublisher(away=True))
    error = await scene.refused(BODY)
    assert (error.status, error.code) == (503, "dependency_unavailable")
    assert "Retry-After" in error.headers
    assert "nothing was accepted" in error.message
    assert scene.left_no_trace()


@in_virtual_time
async def test_a_blob_store_that_is_away_is_a_503_before_anything_is_promised() -> None:
    scene = Scene()
    scene.blobs.away = True
    error = await scene.refused([long()])
    assert error.status == 503
    assert scene.left_no_trace()


@in_virtual_time
async def test_a_store_that_stays_away_is_a_503_that_names_the_group() -> None:
    scene = Scene()
    scene.groups.away = True
    error = await scene.refused(BODY)
    assert (error.status, error.code) == (503, "acceptance_unknown")
    assert "Retry-After" in error.headers
    named = next(word for word in error.message.split() if len(word) == 40)
    assert MINT.parse_group(named).count == 1
    assert scene.publisher.batches == []
    assert scene.clock.monotonic() <= TIMING.write_budget


# --- 13: unknown fates ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fates", [["lost"], ["landed"], ["lost", "lost", "landed", "lost"]], ids=" ".join
)
@in_virtual_time
async def test_an_unknown_fate_is_retried_under_the_same_id(fates: list[str]) -> None:
    scene = Scene()
    scene.groups.fates = fates
    accepted = await scene.accept([BODY] * 2)
    assert len(scene.groups.of_type("group")) == 1
    assert [e.request_id for e in scene.events] == accepted.request_ids


# --- publishing fails part-way: the promise holds ------------------------------------------------


@in_virtual_time
async def test_what_could_not_be_published_is_left_to_the_sweep() -> None:
    scene = Scene(FakePublisher(failures=1, sent_before_failing=2))
    accepted = await scene.accept([BODY] * 5)
    assert len(accepted.request_ids) == 5
    assert accepted.sent == 2
    assert accepted.detail == ("2 of 5 event(s) sent; all are stored and the sweep sends the rest")


@in_virtual_time
async def test_a_failure_of_one_hub_does_not_keep_the_other_from_its_events() -> None:
    scene = Scene(FakePublisher(failures=1))
    accepted = await scene.accept([BODY, {"body": BODY, "priority": "high"}])
    assert accepted.sent == 1
    assert len(scene.events) == 1


# --- Idempotency-Key -----------------------------------------------------------------------------


@in_virtual_time
async def test_the_same_key_and_body_get_the_same_ids_and_no_second_event() -> None:
    scene = Scene()
    first = await scene.accept([BODY] * 3, idempotency_key="k")
    await scene.clock.sleep(3_600)
    again = await scene.accept([BODY] * 3, idempotency_key="k")
    assert again.request_ids == first.request_ids
    assert again.detail == "3 event(s) sent successfully"
    assert len(scene.events) == 3
    assert len(scene.groups.of_type("group")) == 1


@in_virtual_time
async def test_the_same_key_with_another_body_is_a_conflict() -> None:
    scene = Scene()
    await scene.accept([BODY], idempotency_key="k")
    error = await scene.refused([BODY, BODY], idempotency_key="k")
    assert (error.status, error.code) == (409, "idempotency_key_reused")
    assert error.param == "Idempotency-Key"
    assert len(scene.events) == 1


@in_virtual_time
async def test_another_key_is_another_call() -> None:
    scene = Scene()
    one = await scene.accept([BODY], idempotency_key="k")
    other = await scene.accept([BODY], idempotency_key="l")
    assert one.request_ids != other.request_ids


@in_virtual_time
async def test_tenants_do_not_meet_in_their_keys() -> None:
    scene = Scene()
    one = await scene.accept([BODY], idempotency_key="k", tenant="a")
    other = await scene.accept([BODY, BODY], idempotency_key="k", tenant="b")
    assert len(one.request_ids + other.request_ids) == 3


@in_virtual_time
async def test_the_key_itself_is_not_stored() -> None:
    scene = Scene()
    await scene.accept([BODY], idempotency_key="order 4711", tenant="a")
    (record,) = scene.groups.of_type("idempotency")
    assert "4711" not in str(record)
    assert record["id"] == "idem:" + hashlib.sha256(b"a\0order 4711").hexdigest()
    assert record["bucket"] == record["id"], "a partition of its own"


@in_virtual_time
async def test_a_retry_finishes_the_group_that_the_first_call_could_not_store() -> None:
    scene = Scene()
    scene.groups.fates = ["told"] + ["lost"] * 50
    error = await scene.refused([BODY] * 2, idempotency_key="k")
    assert error.code == "acceptance_unknown"
    assert scene.groups.of_type("group") == []
    scene.groups.fates = []
    await scene.clock.sleep(60)
    accepted = await scene.accept([BODY] * 2, idempotency_key="k")
    named = next(word for word in error.message.split() if len(word) == 40)
    assert accepted.request_ids == [f"{named}-0", f"{named}-1"]
    assert [e.request_id for e in scene.events] == accepted.request_ids


@in_virtual_time
async def test_two_calls_at_once_with_one_key_make_one_group() -> None:
    scene = Scene(FakePublisher(seconds_per_batch=1))
    calls = [scene.accept([BODY] * 2, idempotency_key="k") for _ in range(5)]
    answers = await asyncio.gather(*calls)
    assert len({tuple(answer.request_ids) for answer in answers}) == 1
    assert len(scene.events) == 2


@in_virtual_time
async def test_a_retry_during_the_first_call_leaves_its_large_inputs_where_its_events_say() -> None:
    class Slow(FakeBlobs):
        async def write(self, name: str, content: bytes) -> None:
            await VirtualClock().sleep(2)
            await super().write(name, content)

    scene = Scene(blobs=Slow())
    large = {"messages": [{"role": "user", "content": "x" * INLINE_ITEM_BYTES}]}

    async def retry() -> Accepted:
        await scene.clock.sleep(1.234567)  # its default deadline takes more digits than the first's
        return await scene.accept([BODY] * 9 + [large], idempotency_key="k")

    first = scene.accept([BODY] * 9 + [large], idempotency_key="k")
    answers = await asyncio.gather(first, retry())
    assert answers[0].request_ids == answers[1].request_ids
    event = scene.events[-1]
    group = MINT.parse_request(event.request_id).group
    assert await Bodies(blobs=scene.blobs).body(event, group) == large


@pytest.mark.parametrize(
    "key", ["", "k" * (MAX_IDEMPOTENCY_KEY_CHARS + 1)], ids=["empty", "one character too long"]
)
@in_virtual_time
async def test_a_key_has_a_reasonable_length(key: str) -> None:
    scene = Scene()
    error = await scene.refused([BODY], idempotency_key=key)
    assert (error.status, error.code) == (400, "invalid_idempotency_key")
    assert scene.left_no_trace()
    assert await scene.accept([BODY], idempotency_key="k" * MAX_IDEMPOTENCY_KEY_CHARS)


@in_virtual_time
async def test_a_key_whose_record_is_not_visible_yet_is_not_guessed_about() -> None:
    class Lagging(FakeGroups):
        async def read(self, bucket: str, record_id: str) -> dict[str, Any] | None:
            return None

    scene = Scene(groups=Lagging())
    await scene.accept([BODY], idempotency_key="k")
    error = await scene.refused([BODY], idempotency_key="k")
    assert (error.status, error.code) == (503, "idempotency_unknown")


# --- keys of request ids -------------------------------------------------------------------------


@in_virtual_time
async def test_while_no_key_is_known_nothing_is_accepted() -> None:
    vault = FakeVault()
    vault.is_away = True
    scene = Scene(ids=RotatingIds(reader=vault, clock=VirtualClock()))
    error = await scene.refused([BODY])
    assert (error.status, error.code) == (503, "dependency_unavailable")
    assert error.message.startswith("Key Vault cannot be reached; nothing was accepted.")
    assert error.headers == {"Retry-After": "5"}
    assert scene.left_no_trace()


@in_virtual_time
async def test_an_idempotency_key_of_ids_that_nobody_knows_any_more_is_refused() -> None:
    groups = FakeGroups()
    await Scene(groups=groups, ids=FixedIds(IdMint(b"a key that is gone"))).accept(
        [BODY], idempotency_key="again"
    )
    error = await Scene(groups=groups).refused([BODY], idempotency_key="again")
    assert (error.status, error.code) == (409, "idempotency_key_of_unknown_ids")
    assert "Use another Idempotency-Key" in error.message
