"""What a caller sees of a request, and why it waits."""

import orjson
import pytest

from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from ptu_optimizer.requests.status.wait_reason import QUEUED_WHY
from tests.requests.status.scene import (
    GROUP,
    REQUEST,
    RESPONSE,
    Scene,
    attempt,
    deferral,
    error_of,
    released,
    slot,
    succeeded,
)

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
