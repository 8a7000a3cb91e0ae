"""What a caller sees of a request, why it waits, and what a cancel can do."""

from typing import Any

import orjson
import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.errors import AppError, DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.id_keys import FixedIds, RotatingIds
from ptu_optimizer.requests.ids import IdMint, slice_of_request
from ptu_optimizer.requests.ledger.ledger import Ledger
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.status.projection import Projections
from ptu_optimizer.requests.status.status import RequestStatus
from ptu_optimizer.requests.status.wait_reason import QUEUED_WHY
from tests.support.id_keys import OLD, FakeVault
from tests.support.stores import FakeBlobs, FakeCapacity, FakeRequests

TIMING = Timing(
    call_limit=300, write_budget=30, skew=30, hold=30, invocation_budget=120, turn_wait=6_600
)
MINT = IdMint(OLD)
GROUP = MINT.mint(created_at=EPOCH - 60, ends_at=EPOCH + 86_400, count=2)
REQUEST = GROUP.request_id(1)
RESPONSE = {"choices": [{"message": {"role": "assistant", "content": "Rayleigh."}}]}


def slot(
    n: int, kind: SlotKind, *, at: float = EPOCH, token: str = "theirs", **fields: Any
) -> Slot:
    details = fields.pop("details", {})
    return Slot(
        request_id=REQUEST, n=n, kind=kind, claim_token=token, at=at, details=details, **fields
    )


def attempt(n: int, *, lease_until: float = EPOCH + 360, **fields: Any) -> Slot:
    details = {"deployment": "ptu", "custom_id": "row-1", "metadata": {"a": "b"}}
    return slot(n, SlotKind.ATTEMPT, lease_until=lease_until, details=details, **fields)


def released(n: int, *, why: str = "429", not_before: float = EPOCH + 5, **fields: Any) -> Slot:
    return slot(n, SlotKind.RELEASED, not_before=not_before, details={"why": why}, **fields)


def succeeded(n: int, **details: Any) -> Slot:
    details = details or {"response": RESPONSE}
    return slot(n, SlotKind.SUCCEEDED, at=EPOCH + 2, details={"custom_id": "row-1", **details})


def deferral(*, why: str = "closed", at: float = EPOCH, deferrals: int = 3) -> JsonObject:
    return {
        "id": f"{REQUEST}:deferral",
        "slice": slice_of_request(REQUEST),
        "request_id": REQUEST,
        "type": "deferral",
        "deferrals": deferrals,
        "at": at,
        "not_before": EPOCH + 30,
        "why": why,
    }


class Scene:
    def __init__(
        self,
        *records: Slot | JsonObject,
        store: FakeRequests | None = None,
        vault: FakeVault | None = None,
    ) -> None:
        """`vault`: where the keys are, if not in a setting."""
        self.store = store or FakeRequests()
        self.blobs = FakeBlobs()
        self.capacity = FakeCapacity()
        self.clock = VirtualClock()
        self.put(*records)
        self.status = RequestStatus(
            ids=RotatingIds(reader=vault, clock=self.clock) if vault else FixedIds(MINT),
            ledger=Ledger(store=self.store, clock=self.clock),
            blobs=self.blobs,
            projections=Projections(
                store=self.capacity, deployments=["ptu", "other"], clock=self.clock
            ),
            clock=self.clock,
            timing=TIMING,
        )

    def put(self, *records: Slot | JsonObject) -> None:
        for one in records:
            record = one.record(ends_at=GROUP.ends_at, now=EPOCH) if isinstance(one, Slot) else one
            self.store.put(record)

    async def show(self, request_id: str = REQUEST) -> JsonObject:
        return await self.status.show(request_id)

    async def cancel(self) -> JsonObject:
        return await self.status.cancel(REQUEST)


async def error_of(awaitable: Any) -> AppError:
    with pytest.raises(AppError) as raised:
        await awaitable
    return raised.value


# --- ids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_id",
    [
        pytest.param("", id="empty"),
        pytest.param("nonsense", id="nonsense"),
        pytest.param(GROUP.text, id="a group's id"),
        pytest.param(GROUP.request_id(2), id="beyond the group"),
        pytest.param(
            IdMint(b"another key")
            .mint(created_at=EPOCH, ends_at=EPOCH + 60, count=1)
            .request_id(0),
            id="of another key",
        ),
    ],
)
@in_virtual_time
async def test_a_forged_id_is_a_404_without_a_read(request_id: str) -> None:
    scene = Scene()
    scene.store.away = True
    for call in (scene.status.show, scene.status.cancel):
        error = await error_of(call(request_id))
        assert (error.status, error.code) == (404, "request_not_found")


@pytest.mark.parametrize("ask", [RequestStatus.show, RequestStatus.cancel])
@in_virtual_time
async def test_while_no_key_is_known_an_id_is_neither_shown_nor_unknown(ask: Any) -> None:
    vault = FakeVault()
    vault.is_away = True
    scene = Scene(vault=vault)
    error = await error_of(ask(scene.status, REQUEST))
    assert (error.status, error.code) == (503, "dependency_unavailable")
    assert error.headers == {"Retry-After": "5"}
    vault.is_away = False
    await scene.clock.sleep(5)
    assert (await scene.show())["state"] == "queued"


@in_virtual_time
async def test_after_its_end_a_request_is_gone() -> None:
    scene = Scene(succeeded(1))
    await scene.clock.sleep(GROUP.ends_at - EPOCH - 1)
    assert (await scene.show())["state"] == "succeeded"
    await scene.clock.sleep(1)
    assert (await error_of(scene.show())).status == 410
    assert (await error_of(scene.cancel())).status == 410


@in_virtual_time
async def test_a_store_that_is_away_is_a_503() -> None:
    scene = Scene()
    scene.store.away = True
    error = await error_of(scene.show())
    assert error.status == 503
    assert "Retry-After" in error.headers


# --- states --------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_genuine_id_without_records_is_queued() -> None:
    view = await Scene().show()
    assert view["state"] == "queued"
    assert view["waiting"]["why"] == QUEUED_WHY
    assert (view["attempts"], view["failures"], view["deferrals"]) == (0, 0, 0)
    assert view["history"] == []
    assert view["created_at"] == "2027-01-15T07:59:00.000+00:00"
    assert view["ended_at"] is view["response"] is view["error"] is None


STATES = [
    pytest.param([], "queued", id="nothing known"),
    pytest.param([deferral()], "deferred", id="re-scheduled, never attempted"),
    pytest.param([attempt(1)], "dispatching", id="an attempt is under way"),
    pytest.param(
        [attempt(1, lease_until=EPOCH - 30)], "dispatching", id="within the skew after its lease"
    ),
    pytest.param([attempt(1, lease_until=EPOCH - 31)], "deferred", id="its worker was lost"),
    pytest.param([attempt(1), released(2)], "deferred", id="released"),
    pytest.param([attempt(1), released(2), attempt(3)], "dispatching", id="attempted again"),
    pytest.param([attempt(1), succeeded(2)], "succeeded", id="succeeded"),
    pytest.param([attempt(1), slot(2, SlotKind.FAILED)], "failed", id="failed"),
    pytest.param([slot(1, SlotKind.EXPIRED)], "expired", id="expired"),
    pytest.param([slot(1, SlotKind.CANCELLED)], "cancelled", id="cancelled"),
    pytest.param([succeeded(2), attempt(1), deferral()], "succeeded", id="in any order"),
]


@pytest.mark.parametrize(("records", "state"), STATES)
@in_virtual_time
async def test_the_state_is_folded_from_the_slots(
    records: list[Slot | JsonObject], state: str
) -> None:
    assert (await Scene(*records).show())["state"] == state


@pytest.mark.parametrize(
    ("records", "why"),
    [
        pytest.param([deferral(why="the PTU is full")], "the PTU is full", id="deferred"),
        pytest.param([attempt(1), released(2, why="429")], "429", id="released"),
        pytest.param(
            [attempt(1), released(2), deferral(why="closed", at=EPOCH + 1)],
            "closed",
            id="deferred after it was released",
        ),
        pytest.param(
            [attempt(1), released(2, why="503"), deferral(at=EPOCH - 1)],
            "503",
            id="released after it was deferred",
        ),
        pytest.param(
            [attempt(1, lease_until=EPOCH - 31)],
            "its worker was lost; it is taken over",
            id="its worker was lost",
        ),
    ],
)
@in_virtual_time
async def test_why_a_request_waits(records: list[Slot | JsonObject], why: str) -> None:
    assert (await Scene(*records).show())["waiting"]["why"] == why


@pytest.mark.parametrize("records", [[attempt(1)], [succeeded(1)]], ids=["dispatching", "ended"])
@in_virtual_time
async def test_what_does_not_wait_has_no_reason_to(records: list[Slot]) -> None:
    assert (await Scene(*records).show())["waiting"] is None


@in_virtual_time
async def test_attempts_failures_deferrals_and_duplicates_are_counted() -> None:
    duplicate = {**deferral(), "id": f"{REQUEST}:duplicate:x", "type": "duplicate"}
    view = await Scene(
        attempt(1), released(2, failures=1), attempt(3, failures=1), deferral(), duplicate
    ).show()
    counts = ("attempts", "failures", "deferrals", "duplicate_calls")
    assert [view[name] for name in counts] == [2, 1, 3, 1]


@in_virtual_time
async def test_the_history_is_told_in_order() -> None:
    view = await Scene(succeeded(4), released(2, why="429"), attempt(1), attempt(3)).show()
    assert [(e["slot"], e["kind"]) for e in view["history"]] == [
        (1, "attempt"),
        (2, "released"),
        (3, "attempt"),
        (4, "succeeded"),
    ]
    assert view["history"][1]["why"] == "429"
    assert view["history"][1]["not_before"] == "2027-01-15T08:00:05.000+00:00"
    assert view["history"][0]["lease_until"] == "2027-01-15T08:06:00.000+00:00"


@in_virtual_time
async def test_claim_tokens_are_not_shown() -> None:
    view = await Scene(attempt(1, token="secret-token"), succeeded(2)).show()
    assert "secret-token" not in str(view)


@in_virtual_time
async def test_the_callers_labels_are_shown_as_soon_as_they_are_known() -> None:
    view = await Scene(attempt(1)).show()
    assert (view["custom_id"], view["metadata"], view["deployment"]) == ("row-1", {"a": "b"}, "ptu")


@in_virtual_time
async def test_another_request_of_the_group_is_not_mixed_in() -> None:
    scene = Scene(succeeded(1))
    assert (await scene.show(GROUP.request_id(0)))["state"] == "queued"


# --- outcomes ------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_success_shows_the_response_as_it_came() -> None:
    view = await Scene(attempt(1), succeeded(2)).show()
    assert view["response"] == RESPONSE
    assert view["error"] is None
    assert view["ended_at"] == "2027-01-15T08:00:02.000+00:00"


@in_virtual_time
async def test_a_failure_shows_the_services_error() -> None:
    error = {"message": "too long", "code": "context_length_exceeded"}
    view = await Scene(slot(1, SlotKind.FAILED, details={"error": error})).show()
    assert view["error"] == error
    assert view["response"] is None


@in_virtual_time
async def test_a_large_response_is_read_from_its_blob() -> None:
    scene = Scene(succeeded(2, blob="outcomes/x.json"))
    scene.blobs.blobs["outcomes/x.json"] = orjson.dumps(RESPONSE)
    assert (await scene.show())["response"] == RESPONSE


@in_virtual_time
async def test_a_response_whose_blob_is_gone_is_said_to_be_gone() -> None:
    error = await error_of(Scene(succeeded(2, blob="outcomes/x.json")).show())
    assert (error.status, error.code) == (500, "response_missing")


@in_virtual_time
async def test_a_blob_store_that_is_away_is_a_503() -> None:
    scene = Scene(succeeded(2, blob="outcomes/x.json"))
    scene.blobs.away = True
    assert (await error_of(scene.show())).status == 503


# --- cancel --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "n", "detail"),
    [
        pytest.param([], 1, "Cancelled before it was dispatched.", id="queued"),
        pytest.param([deferral()], 1, "Cancelled before it was dispatched.", id="deferred"),
        pytest.param(
            [attempt(1), released(2)], 3, "Cancelled before it was dispatched.", id="released"
        ),
        pytest.param([attempt(1)], 2, "A call was under way", id="dispatching"),
    ],
)
@in_virtual_time
async def test_a_cancel_is_the_next_slot(
    records: list[Slot | JsonObject], n: int, detail: str
) -> None:
    scene = Scene(*records)
    view = await scene.cancel()
    assert view["state"] == "cancelled"
    assert detail in view["detail"]
    assert view["history"][-1]["slot"] == n
    assert view["error"]["code"] == "cancelled"


@in_virtual_time
async def test_a_cancelled_request_remembers_its_failures() -> None:
    scene = Scene(attempt(1), released(2, failures=2))
    assert (await scene.cancel())["failures"] == 2


@pytest.mark.parametrize("kind", [SlotKind.SUCCEEDED, SlotKind.FAILED, SlotKind.EXPIRED])
@in_virtual_time
async def test_what_has_ended_cannot_be_cancelled_and_says_how_it_ended(kind: SlotKind) -> None:
    scene = Scene(attempt(1), slot(2, kind))
    error = await error_of(scene.cancel())
    assert (error.status, error.code) == (409, f"already_{kind.value}")
    assert REQUEST in error.message
    assert scene.store.creates == 0


@in_virtual_time
async def test_a_second_cancel_is_told_that_there_was_one() -> None:
    scene = Scene()
    await scene.cancel()
    view = await scene.cancel()
    assert view["state"] == "cancelled"
    assert view["detail"] == "It was cancelled before."


@pytest.mark.parametrize("fates", [["landed"], ["lost"], ["lost", "landed"]], ids=" ".join)
@in_virtual_time
async def test_a_cancel_of_unknown_fate_is_looked_up_and_not_done_twice(fates: list[str]) -> None:
    scene = Scene()
    scene.store.fates = fates
    view = await scene.cancel()
    assert view["state"] == "cancelled"
    assert view["detail"].startswith("Cancelled")
    assert len(view["history"]) == 1


@in_virtual_time
async def test_a_cancel_that_loses_against_an_attempt_ends_that_attempt() -> None:
    class Racing(FakeRequests):
        async def create(self, record: JsonObject) -> Any:
            if self.creates == 0:
                self.put(attempt(1).record(ends_at=GROUP.ends_at, now=EPOCH))
            return await super().create(record)

    view = await Scene(store=Racing()).cancel()
    assert [e["kind"] for e in view["history"]] == ["attempt", "cancelled"]


@in_virtual_time
async def test_a_cancel_refused_by_what_stays_invisible_is_not_known_yet() -> None:
    class Lagging(FakeRequests):
        async def read(self, request_id: str) -> list[JsonObject]:
            return []

    scene = Scene(succeeded(1), store=Lagging())
    error = await error_of(scene.cancel())
    assert (error.status, error.code) == (503, "cancel_unknown")
    assert scene.clock.monotonic() <= TIMING.write_budget


@in_virtual_time
async def test_a_cancel_on_a_store_that_is_away_is_a_503() -> None:
    scene = Scene()
    scene.store.away = True
    assert (await error_of(scene.cancel())).status == 503


@in_virtual_time
async def test_a_cancel_that_the_store_refuses_is_a_503_too() -> None:
    class Refusing(FakeRequests):
        async def create(self, record: JsonObject) -> Any:
            raise DependencyUnavailable("Cosmos DB", "it refuses a write with status 403")

    error = await error_of(Scene(store=Refusing()).cancel())
    assert (error.status, error.code) == (503, "dependency_unavailable")
    assert "Retry-After" in error.headers
