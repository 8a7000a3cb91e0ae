"""What lost its event is found, a backlog is left alone, and every group gets its end."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import HUBS, REQUESTS_LATER, REQUESTS_SOON, PartitionState
from ptu_optimizer.ports.stores import Created
from ptu_optimizer.requests.bodies import Bodies, inputs_blob, offsets_blob, pack
from ptu_optimizer.requests.dispatch.decoding import decode
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.groups import GroupRecord
from ptu_optimizer.requests.id_keys import DECIDES_WITHIN_SECONDS, FixedIds, Ids, RotatingIds
from ptu_optimizer.requests.ids import GroupId, IdMint, slice_of_request
from ptu_optimizer.requests.item import Item, Spillover
from ptu_optimizer.requests.ledger.ledger import Ledger
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.sweep.republish import Republisher
from ptu_optimizer.requests.sweep.spill_waiting import SpillWaiting
from ptu_optimizer.requests.sweep.sweep import HTTP_LIMIT_SECONDS, Sweep, SweepReport
from ptu_optimizer.requests.sweep.watermark import Watermark
from ptu_optimizer.requests.urgency import Urgency
from tests.support.id_keys import NEW, OLD, FakeVault, group_of, version
from tests.support.publishing import FakePublisher
from tests.support.stores import FakeBlobs, FakeGroups, FakeRequests

TIMING = Timing(
    call_limit=300, write_budget=30, skew=30, hold=30, invocation_budget=120, turn_wait=6_600
)
DAY, WEEK = 86_400.0, 604_800.0
URGENCY = Urgency(soon=900.0, spillover_lead=60.0)
LOST_AFTER = HTTP_LIMIT_SECONDS + TIMING.skew + 1
"""So long after a group's creation, with nothing on any hub, its events must have been lost."""
MINT = IdMint(OLD)


class FakeHubs:
    """What the hubs say of their partitions: empty, unless a test says otherwise."""

    def __init__(self) -> None:
        self.states = {
            hub: {p: PartitionState(p, last_sequence_number=-1, is_empty=True) for p in ("0", "1")}
            for hub in HUBS
        }
        self.away = False

    async def partitions(self, hub: str) -> list[PartitionState]:
        if self.away:
            raise DependencyUnavailable("Event Hubs", "it is away")
        return list(self.states[hub].values())

    def holds_up_to(self, sequence_number: int, *, hub: str = "requests") -> None:
        self.states[hub]["0"] = PartitionState("0", sequence_number, is_empty=False)


class Scene:
    def __init__(self, *, vault: FakeVault | None = None) -> None:
        """`vault`: where the keys are, if not in a setting."""
        self.clock = VirtualClock()
        self.ids: Ids = FixedIds(MINT)
        if vault is not None:
            self.ids = RotatingIds(reader=vault, clock=self.clock)
        self.groups = FakeGroups()
        self.requests = FakeRequests()
        self.blobs = FakeBlobs()
        self.publisher = FakePublisher()
        self.hubs = FakeHubs()
        self.sweep = self.another_sweep()

    def another_sweep(self, *, run_seconds: float = 240.0) -> Sweep:
        republisher = Republisher(
            groups=self.groups,
            store=self.requests,
            blobs=self.blobs,
            publisher=self.publisher,
            clock=self.clock,
        )
        return Sweep(
            ids=self.ids,
            groups=self.groups,
            ledger=Ledger(store=self.requests, clock=self.clock),
            republisher=republisher,
            spill_waiting=SpillWaiting(urgency=URGENCY, again=republisher),
            watermark=Watermark(
                groups=self.groups,
                hubs=self.hubs,
                publisher=self.publisher,
                clock=self.clock,
                timing=TIMING,
            ),
            clock=self.clock,
            timing=TIMING,
            longest_deadline_seconds=WEEK,
            pause_seconds=60,
            run_seconds=run_seconds,
        )

    def accept(
        self,
        *deadlines: float,
        texts: tuple[str, ...] = (),
        spillover: Spillover = Spillover.NEVER,
        tenant: str = "",
        offsets: bool = True,
    ) -> GroupId:
        """A group as intake leaves it, whose events were never published. Without `offsets` it is
        one of a release that wrote none."""
        now = self.clock.now()
        items = [
            Item(
                {"messages": [{"role": "user", "content": texts[i] if texts else f"question {i}"}]},
                "ptu",
                now + deadline,
                custom_id=f"row-{i}",
                spillover=spillover,
            )
            for i, deadline in enumerate(deadlines)
        ]
        group = MINT.mint(created_at=now, ends_at=now + 2 * WEEK, count=len(items), tenant=tenant)
        packed = pack(items)
        record = GroupRecord.of(group, items, in_blob=packed.in_blob, created_at=now)
        if packed.in_blob:
            self.blobs.blobs[inputs_blob(group.text)] = packed.blob
            if offsets:
                self.blobs.blobs[offsets_blob(group.text)] = packed.offsets.encode()
        self.groups.put(record.record(group))
        return group

    def slot(self, group: GroupId, index: int, n: int, kind: SlotKind, **fields: Any) -> None:
        one = Slot(
            request_id=group.request_id(index),
            n=n,
            kind=kind,
            claim_token="theirs",
            at=fields.pop("at", self.clock.now()),
            **fields,
        )
        self.requests.put(one.record(ends_at=group.ends_at, now=self.clock.now()))

    def ended(self, group: GroupId, *indices: int) -> None:
        for index in indices:
            self.slot(group, index, 1, SlotKind.SUCCEEDED)

    def deferral(self, group: GroupId, index: int, *, deferrals: int = 3) -> None:
        request_id = group.request_id(index)
        self.requests.put(
            {
                "id": f"{request_id}:deferral",
                "slice": slice_of_request(request_id),
                "request_id": request_id,
                "type": "deferral",
                "deferrals": deferrals,
                "at": self.clock.now(),
            }
        )

    def position(self, sequence_number: int, *, enqueued_at: float, hub: str = "requests") -> None:
        self.groups.put(
            {
                "id": f"position:{hub}:0",
                "bucket": "positions",
                "type": "position",
                "hub": hub,
                "partition": "0",
                "sequence_number": sequence_number,
                "enqueued_at": enqueued_at,
            }
        )

    async def run(self, sweep: Sweep | None = None) -> SweepReport:
        """A run as the timer does it: its closings are written when it has ended."""
        report = await (sweep or self.sweep).run()
        self.groups.put(*report.closings)
        return report

    @property
    def published(self) -> list[RequestEvent]:
        events = [decode(e.payload) for _, batch in self.publisher.batches for e in batch]
        return [event for event in events if isinstance(event, RequestEvent)]

    def outcomes(self) -> dict[str, str]:
        return {
            record["request_id"]: record["kind"]
            for record in self.requests.records.values()
            if "n" in record and SlotKind(record["kind"]).is_outcome
        }


# --- what may spill over, in a backlog ------------------------------------------------------------

MAY = Spillover.BEFORE_DEADLINE
WINDOW = URGENCY.soon
LEAVES = DAY - URGENCY.spillover_lead
"""When a request leaves whose deadline is a day away."""


def behind_a_backlog(scene: Scene) -> None:
    """Nothing has been read of a hub that holds much."""
    scene.hubs.holds_up_to(10_000)


@in_virtual_time
async def test_what_may_spill_over_is_taken_out_of_a_backlog_in_time_to_leave() -> None:
    scene = Scene()
    behind_a_backlog(scene)
    group = scene.accept(DAY, DAY, spillover=MAY)
    stays = scene.accept(DAY)
    await scene.clock.sleep(LEAVES - WINDOW - 1)
    assert (await scene.run()).published == 0
    await scene.clock.sleep(1)
    assert (await scene.run()).published == 2
    ((hub, batch),) = scene.publisher.batches
    assert hub == REQUESTS_SOON
    assert [e.key for e in batch] == [group.request_id(0), group.request_id(1)]
    assert {e.spillover for e in scene.published} == {MAY}
    assert stays.request_id(0) not in {e.request_id for e in scene.published}


@in_virtual_time
async def test_it_is_published_again_at_long_intervals_only() -> None:
    scene = Scene()
    behind_a_backlog(scene)
    scene.accept(DAY, spillover=MAY)
    await scene.clock.sleep(LEAVES - WINDOW)
    at = []
    for _ in range(int(WINDOW // 30)):
        if (await scene.run()).published:
            at.append(scene.clock.now() - EPOCH)
        await scene.clock.sleep(30)
    assert at == [LEAVES - WINDOW, LEAVES - WINDOW / 2]


@pytest.mark.parametrize("count", [1, 2])
@in_virtual_time
async def test_sweeps_that_overlap_take_it_out_once(count: int) -> None:
    scene = Scene()
    behind_a_backlog(scene)
    scene.accept(DAY, spillover=MAY)
    await scene.clock.sleep(LEAVES - WINDOW)
    sweeps = [scene.another_sweep() for _ in range(count)]
    assert sum([(await scene.run(sweep)).published for sweep in sweeps]) == 1


@in_virtual_time
async def test_who_is_in_hand_or_has_ended_is_left_alone() -> None:
    scene = Scene()
    behind_a_backlog(scene)
    group = scene.accept(*[DAY] * 5, spillover=MAY)
    scene.ended(group, 0)
    await scene.clock.sleep(LEAVES - WINDOW + 1)
    scene.slot(group, 1, 1, SlotKind.ATTEMPT, lease_until=EPOCH + DAY)
    scene.slot(group, 2, 1, SlotKind.ATTEMPT)
    scene.slot(group, 2, 2, SlotKind.RELEASED)
    scene.deferral(group, 3)
    assert (await scene.run()).published == 1
    assert [e.request_id for e in scene.published] == [group.request_id(4)]


@in_virtual_time
async def test_what_was_re_scheduled_long_ago_carries_on_from_there() -> None:
    scene = Scene()
    behind_a_backlog(scene)
    group = scene.accept(DAY, spillover=MAY)
    scene.slot(group, 0, 1, SlotKind.ATTEMPT)
    scene.slot(group, 0, 2, SlotKind.RELEASED)
    scene.deferral(group, 0, deferrals=7)
    await scene.clock.sleep(LEAVES - WINDOW)
    await scene.run()
    assert [(e.slot, e.deferrals) for e in scene.published] == [(3, 8)]


@in_virtual_time
async def test_requests_of_a_group_are_taken_out_each_in_its_time() -> None:
    scene = Scene()
    behind_a_backlog(scene)
    group = scene.accept(DAY, 2 * DAY, spillover=MAY)
    await scene.clock.sleep(LEAVES - WINDOW)
    await scene.run()
    await scene.clock.sleep(DAY)
    await scene.run()
    assert [e.request_id for e in scene.published] == [group.request_id(0), group.request_id(1)]


@in_virtual_time
async def test_what_was_urgent_from_the_start_came_by_its_own_hub() -> None:
    scene = Scene()
    behind_a_backlog(scene)
    scene.accept(URGENCY.soon, spillover=MAY)
    await scene.clock.sleep(URGENCY.soon - 30)
    assert (await scene.run()).published == 0


@in_virtual_time
async def test_a_hub_that_is_away_is_tried_again() -> None:
    scene = Scene()
    behind_a_backlog(scene)
    scene.accept(DAY, spillover=MAY)
    await scene.clock.sleep(LEAVES - WINDOW)
    scene.publisher.failures = 1
    with pytest.raises(DependencyUnavailable):
        await scene.run()
    await scene.clock.sleep(WINDOW / 2)
    assert (await scene.run()).published == 1


# --- what lost its event -------------------------------------------------------------------------


@in_virtual_time
async def test_a_lost_event_is_published_again_with_all_it_needs() -> None:
    scene = Scene()
    group = scene.accept(DAY, 2 * DAY)
    await scene.clock.sleep(LOST_AFTER)
    assert (await scene.run()).published == 2
    ((hub, batch),) = scene.publisher.batches
    assert hub == REQUESTS_LATER
    assert [e.key for e in batch] == [group.request_id(0), group.request_id(1)]
    assert [(e.slot, e.deferrals, e.not_before) for e in scene.published] == [(1, 0, None)] * 2
    assert [e.deadline for e in scene.published] == [EPOCH + DAY, EPOCH + 2 * DAY]
    assert [e.custom_id for e in scene.published] == ["row-0", "row-1"]
    assert [e.body["messages"][0]["content"] for e in scene.published if e.body] == [
        "question 0",
        "question 1",
    ]


@in_virtual_time
async def test_a_young_group_is_left_to_its_intake() -> None:
    scene = Scene()
    scene.accept(DAY)
    await scene.clock.sleep(LOST_AFTER - 2)
    assert (await scene.run()).published == 0


@in_virtual_time
async def test_only_what_is_lost_is_published() -> None:
    scene = Scene()
    group = scene.accept(DAY, DAY, DAY)
    await scene.clock.sleep(LOST_AFTER)
    scene.ended(group, 0)
    scene.slot(group, 1, 1, SlotKind.ATTEMPT, lease_until=scene.clock.now() + 100)
    await scene.run()
    assert [e.request_id for e in scene.published] == [group.request_id(2)]


@pytest.mark.parametrize(
    ("read_to", "enqueued_at", "published"),
    [
        pytest.param(None, None, 0, id="never read from"),
        pytest.param(50, EPOCH - 3_600, 0, id="an hour behind"),
        pytest.param(50, EPOCH + HTTP_LIMIT_SECONDS + TIMING.skew, 0, id="just about there"),
        pytest.param(50, EPOCH + HTTP_LIMIT_SECONDS + TIMING.skew + 1, 1, id="just past it"),
        pytest.param(99, EPOCH - 3_600, 1, id="read to its end, however old that is"),
    ],
)
@pytest.mark.parametrize("hub", HUBS)
@in_virtual_time
async def test_a_backlog_on_any_hub_is_no_loss(
    read_to: int | None, enqueued_at: float, published: int, hub: str
) -> None:
    scene = Scene()
    scene.accept(DAY)
    scene.hubs.holds_up_to(99, hub=hub)
    if read_to is not None:
        scene.position(read_to, enqueued_at=enqueued_at, hub=hub)
    await scene.clock.sleep(6 * 3_600)
    assert (await scene.run()).published == published


@pytest.mark.parametrize("what", ["deferral", "released", "attempt"])
@in_virtual_time
async def test_a_later_publication_counts_from_its_own_time(what: str) -> None:
    scene = Scene()
    group = scene.accept(DAY)
    await scene.clock.sleep(3_600)
    if what == "deferral":
        scene.deferral(group, 0)
    elif what == "released":
        scene.slot(group, 0, 2, SlotKind.RELEASED)
    else:
        scene.slot(group, 0, 1, SlotKind.ATTEMPT, lease_until=scene.clock.now() - TIMING.skew)
    await scene.clock.sleep(TIMING.skew)
    assert (await scene.run()).published == 0
    await scene.clock.sleep(400)
    assert (await scene.run()).published == 1


@pytest.mark.parametrize(
    ("kind", "n", "carried"),
    [
        pytest.param(SlotKind.RELEASED, 2, 3, id="after a release, the next slot"),
        pytest.param(SlotKind.ATTEMPT, 3, 3, id="after a lost worker, the slot that refuses"),
    ],
)
@in_virtual_time
async def test_which_slot_the_new_event_carries(kind: SlotKind, n: int, carried: int) -> None:
    scene = Scene()
    group = scene.accept(DAY)
    scene.slot(group, 0, n, kind)
    await scene.clock.sleep(LOST_AFTER)
    await scene.run()
    assert [e.slot for e in scene.published] == [carried]


@in_virtual_time
async def test_the_new_event_is_no_older_than_the_one_that_was_lost() -> None:
    scene = Scene()
    group = scene.accept(DAY)
    scene.deferral(group, 0, deferrals=7)
    await scene.clock.sleep(LOST_AFTER)
    await scene.run()
    assert [e.deferrals for e in scene.published] == [8], "else a process would drop it as stale"


@in_virtual_time
async def test_the_group_of_a_tenant_is_verified_by_its_record_and_its_events_name_him() -> None:
    scene = Scene()
    group = scene.accept(DAY, tenant="research")
    await scene.clock.sleep(LOST_AFTER)
    await scene.run()
    (event,) = scene.published
    assert event.tenant == "research"
    assert MINT.parse_request(event.request_id, tenant=event.tenant).group == group


@in_virtual_time
async def test_a_request_of_a_tenant_expires_under_its_name() -> None:
    scene = Scene()
    scene.accept(60, tenant="research")
    await scene.clock.sleep(120)
    assert (await scene.run()).expired == 1
    (slot,) = scene.requests.records.values()
    assert slot["tenant"] == "research"


@pytest.mark.parametrize("offsets", [True, False], ids=["", "of a release without offsets"])
@in_virtual_time
async def test_a_large_body_is_referred_to_again(offsets: bool) -> None:
    scene = Scene()
    group = scene.accept(DAY, DAY, texts=("short", "x" * 100_000), offsets=offsets)
    await scene.clock.sleep(LOST_AFTER)
    await scene.run()
    short, large = scene.published
    assert short.body is not None
    assert large.body is None
    body = await Bodies(blobs=scene.blobs).body(large, group)
    assert body["messages"][0]["content"] == "x" * 100_000


@in_virtual_time
async def test_a_group_of_many_slices_is_swept_whole() -> None:
    scene = Scene()
    group = scene.accept(*[DAY] * 10_001, texts=("",) * 10_001)
    await scene.clock.sleep(LOST_AFTER)
    assert (await scene.run()).published == 10_001
    assert len({e.request_id for e in scene.published}) == group.count
    assert len(scene.requests.of_type("sweep")) == 2


# --- copies stay few -----------------------------------------------------------------------------


@in_virtual_time
async def test_what_is_lost_again_and_again_is_published_at_growing_intervals() -> None:
    scene = Scene()
    scene.accept(DAY)
    times: list[float] = []
    for _ in range(12 * 60):
        await scene.clock.sleep(60)
        if (await scene.run()).published:
            times.append(scene.clock.monotonic())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) <= 20, "in twelve hours"
    assert gaps[:5] == sorted(gaps[:5])
    assert gaps[0] >= 60
    assert min(gaps[6:]) >= 3_600


@in_virtual_time
async def test_a_restarted_sweep_keeps_to_the_intervals() -> None:
    scene = Scene()
    scene.accept(DAY)
    await scene.clock.sleep(LOST_AFTER)
    await scene.run()
    await scene.clock.sleep(61)
    assert (await scene.run(scene.another_sweep())).published == 0


@in_virtual_time
async def test_of_two_sweeps_at_once_one_publishes() -> None:
    scene = Scene()
    scene.accept(DAY)
    await scene.clock.sleep(LOST_AFTER)

    class Interrupted(FakeRequests):
        """Another sweep runs between our reading and our mark."""

        async def create(self, record: JsonObject) -> Created:
            if self.creates == 0:
                self.creates += 1
                await other.run()
            return await super().create(record)

    scene.requests = Interrupted()
    other = scene.another_sweep()
    await scene.another_sweep().run()
    assert len(scene.published) == 1


@pytest.mark.parametrize("fate", ["lost", "landed"])
@in_virtual_time
async def test_without_a_certain_mark_nothing_is_published_this_round(fate: str) -> None:
    scene = Scene()
    scene.accept(DAY)
    await scene.clock.sleep(LOST_AFTER)
    scene.requests.fates = [fate]
    assert (await scene.run()).published == 0
    await scene.clock.sleep(600)
    assert (await scene.run()).published == 1


# --- expiry and closing --------------------------------------------------------------------------


@in_virtual_time
async def test_what_is_late_expires_each_at_its_own_deadline() -> None:
    scene = Scene()
    group = scene.accept(600, 3_600)
    scene.hubs.holds_up_to(99)  # a backlog, so that nothing is published again
    await scene.clock.sleep(599)
    assert (await scene.run()).expired == 0
    await scene.clock.sleep(1)
    assert (await scene.run()).expired == 1
    assert scene.outcomes() == {group.request_id(0): "expired"}
    record = scene.requests.records[slice_of_request(group.request_id(0)), f"{group.text}-0:1"]
    assert record["custom_id"] == "row-0"
    assert record["error"]["code"] == "deadline_exceeded"


@in_virtual_time
async def test_a_live_attempt_is_let_end_before_its_request_expires() -> None:
    scene = Scene()
    group = scene.accept(600)
    await scene.clock.sleep(590)
    scene.slot(group, 0, 1, SlotKind.ATTEMPT, lease_until=EPOCH + 800, failures=2)
    await scene.clock.sleep(240)
    assert (await scene.run()).expired == 0
    await scene.clock.sleep(300)
    assert (await scene.run()).expired == 1
    record = scene.requests.records[slice_of_request(group.request_id(0)), f"{group.text}-0:2"]
    assert record["failures"] == 2


@in_virtual_time
async def test_a_group_is_closed_when_every_request_has_its_outcome() -> None:
    scene = Scene()
    group = scene.accept(DAY, DAY)
    scene.ended(group, 0)
    assert (await scene.run()).closings == []
    scene.ended(group, 1)
    await scene.clock.sleep(61)
    (closing,) = (await scene.run()).closings
    assert closing["group_id"] == group.text
    assert closing["bucket"] == group.bucket
    assert closing["id"] != group.text, "the group record is never rewritten"
    assert closing["ttl"] == pytest.approx(group.ends_at - scene.clock.now(), abs=1)


@in_virtual_time
async def test_what_expires_last_closes_its_group_at_once() -> None:
    scene = Scene()
    group = scene.accept(600, 600)
    scene.ended(group, 0)
    await scene.clock.sleep(600)
    report = await scene.run()
    assert (report.expired, len(report.closings)) == (1, 1)


@in_virtual_time
async def test_a_closed_group_is_not_looked_at_again() -> None:
    scene = Scene()
    group = scene.accept(DAY)
    scene.ended(group, 0)
    assert (await scene.run()).looked_at == 1
    for sweep in (scene.sweep, scene.another_sweep()):
        await scene.clock.sleep(3_600)
        assert (await scene.run(sweep)).looked_at == 0


@in_virtual_time
async def test_a_closing_that_was_not_written_is_made_again() -> None:
    scene = Scene()
    group = scene.accept(DAY)
    scene.ended(group, 0)
    assert len((await scene.sweep.run()).closings) == 1  # and the output binding failed
    assert len((await scene.run()).closings) == 1


@in_virtual_time
async def test_groups_of_the_longest_deadline_are_still_in_reach_at_their_end() -> None:
    scene = Scene()
    scene.accept(WEEK)
    scene.hubs.holds_up_to(99)
    await scene.clock.sleep(WEEK)
    report = await scene.run()
    assert (report.expired, len(report.closings)) == (1, 1)


# --- running ------------------------------------------------------------------------------------


@in_virtual_time
async def test_young_groups_are_looked_at_often_and_old_ones_seldom() -> None:
    scene = Scene()
    scene.accept(6 * DAY)
    scene.hubs.holds_up_to(99)
    looks: list[float] = []
    for _ in range(12 * 60):
        await scene.clock.sleep(60)
        if (await scene.run()).looked_at:
            looks.append(scene.clock.monotonic())
    assert len([at for at in looks if at <= 600]) >= 9
    assert len([at for at in looks if at >= DAY / 4]) <= 12


@in_virtual_time
async def test_a_deadline_is_not_slept_through() -> None:
    scene = Scene()
    scene.accept(5 * 3_600)
    scene.hubs.holds_up_to(99)
    await scene.clock.sleep(5 * 3_600 - 1)
    assert (await scene.run()).looked_at == 1
    await scene.clock.sleep(1)
    assert (await scene.run()).expired == 1


@in_virtual_time
async def test_a_run_that_takes_too_long_goes_on_in_the_next() -> None:
    scene = Scene()
    for _ in range(5):
        scene.accept(DAY)

    class Slow(FakeRequests):
        async def slice(self, slice_id: str, *, fields: Sequence[str]) -> Any:
            await scene.clock.sleep(10)
            async for record in super().slice(slice_id, fields=fields):
                yield record

    scene.requests = Slow()
    sweep = scene.another_sweep(run_seconds=25)
    assert (await scene.run(sweep)).looked_at == 3
    assert (await scene.run(sweep)).looked_at == 2


@pytest.mark.parametrize("part", ["groups", "requests", "hubs"])
@in_virtual_time
async def test_what_is_away_ends_the_run_with_an_error(part: str) -> None:
    scene = Scene()
    scene.accept(DAY)
    getattr(scene, part).away = True
    with pytest.raises(DependencyUnavailable):
        await scene.run()
    assert scene.publisher.batches == []


@in_virtual_time
async def test_a_hub_that_fails_a_publication_ends_the_run_and_the_next_round_repeats_it() -> None:
    scene = Scene()
    scene.accept(DAY, DAY)
    scene.publisher.failures = 1
    await scene.clock.sleep(LOST_AFTER)
    with pytest.raises(DependencyUnavailable):
        await scene.run()
    await scene.clock.sleep(600)
    assert (await scene.run()).published == 2


@in_virtual_time
async def test_a_group_whose_inputs_are_gone_does_not_keep_the_others_from_their_end() -> None:
    scene = Scene()
    broken = scene.accept(600, 900, texts=("x" * 100_000, "y"))
    scene.blobs.blobs.clear()
    healthy = scene.accept(DAY)
    await scene.clock.sleep(LOST_AFTER)
    await scene.run()
    assert [e.request_id for e in scene.published] == [healthy.request_id(0)]
    await scene.clock.sleep(900)
    await scene.run()
    assert scene.outcomes() == {broken.request_id(0): "expired", broken.request_id(1): "expired"}


@in_virtual_time
async def test_a_group_that_is_stored_late_by_a_retry_is_still_swept() -> None:
    scene = Scene()
    group = scene.accept(DAY)
    stored = scene.groups.records.pop((group.bucket, group.text))
    await scene.clock.sleep(3 * 3_600)
    await scene.run()  # finds the hour of the group's creation empty, and over
    scene.groups.put({**stored, "created_at": scene.clock.now()})  # Idempotency-Key, hours later
    await scene.clock.sleep(3_600)
    assert (await scene.run()).published == 1


@in_virtual_time
async def test_a_group_of_another_key_is_left_alone_and_does_not_stop_the_run() -> None:
    scene = Scene()
    now = scene.clock.now()
    foreign = IdMint(b"a key that was changed").mint(created_at=now, ends_at=now + DAY, count=1)
    group = scene.accept(DAY)
    record = next(iter(scene.groups.records.values()))
    scene.groups.put({**record, "id": foreign.text, "bucket": foreign.bucket})
    scene.ended(group, 0)
    report = await scene.sweep.run()
    assert [closing["group_id"] for closing in report.closings] == [group.text]


@in_virtual_time
async def test_a_group_record_that_makes_no_sense_is_left_alone_and_does_not_stop_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    group = scene.accept(DAY)
    scene.groups.put({"id": "damaged", "bucket": group.bucket, "type": "group"})
    scene.ended(group, 0)
    report = await scene.sweep.run()
    assert [closing["group_id"] for closing in report.closings] == [group.text]
    assert "a group record makes no sense and is left alone" in caplog.text


@in_virtual_time
async def test_without_a_key_a_run_ends_before_it_looks_at_anything() -> None:
    vault = FakeVault()
    vault.is_away = True
    scene = Scene(vault=vault)
    scene.accept(DAY)
    with pytest.raises(DependencyUnavailable, match="Key Vault"):
        await scene.sweep.run()


@in_virtual_time
async def test_a_group_that_may_be_of_a_newer_key_is_looked_at_later_and_the_run_goes_on() -> None:
    vault = FakeVault()
    scene = Scene(vault=vault)
    newer = group_of(NEW)
    group = scene.accept(DAY)
    await scene.sweep.run()
    record = next(iter(scene.groups.records.values()))
    scene.groups.put({**record, "id": newer.text, "bucket": newer.bucket})
    vault.is_away = True
    await scene.clock.sleep(DECIDES_WITHIN_SECONDS + 1)
    assert (await scene.run()).looked_at == 1, "the other one"
    vault.is_away = False
    vault.versions = (*vault.versions, version(NEW, created_at=1.0))
    scene.ended(group, 0)
    await scene.clock.sleep(3_600)
    assert (await scene.run()).looked_at == 2
