"""What a cancel can do, and what it says."""

from typing import Any

import pytest

from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from tests.requests.status.scene import (
    GROUP,
    REQUEST,
    TIMING,
    Scene,
    attempt,
    deferral,
    error_of,
    released,
    slot,
    succeeded,
)
from tests.support.stores import FakeRequests


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
