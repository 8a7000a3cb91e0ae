"""What is not the ledger's protocol: a bad event is put aside, and its neighbours go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.requests.events import REQUESTS_LATER, BlobRange, RequestEvent, ResultEvent
from ptu_optimizer.requests.ledger import Kind, Slot
from tests.requests.protocol.world import World


def _result(request_id: str, kind: Kind = Kind.SUCCEEDED) -> dict[str, Any]:
    slot = Slot(request_id=request_id, n=2, kind=kind, claim_token="ours", at=EPOCH)
    return slot.record(ends_at=EPOCH + 1e6, now=EPOCH)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda record: {}, id="an empty record"),
        pytest.param(lambda record: record | {"kind": "done"}, id="an unknown kind"),
        pytest.param(lambda record: record | {"kind": "attempt"}, id="no outcome"),
        pytest.param(lambda record: record | {"slice": "elsewhere"}, id="another slice"),
        pytest.param(lambda record: record | {"id": "elsewhere"}, id="another id"),
        pytest.param(lambda record: record | {"request_id": "x-1"}, id="another request"),
    ],
)
@in_virtual_time
async def test_a_result_that_can_never_be_written_is_put_aside_and_holds_nobody_up(
    spoil: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    world = World()
    victim, neighbour = world.request(), world.request()
    record = spoil(_result(victim.request_id))
    bad = ResultEvent(request_id=victim.request_id, record=record)
    report = await world.dispatch(bad, neighbour, hub=REQUESTS_LATER)
    assert [letter["reason"].split(":")[0] for letter in report.dead_letters] == ["record"]
    assert world.kinds(neighbour) == ["attempt", "succeeded"]
    assert len(report.positions) == 1


@in_virtual_time
async def test_an_input_that_cannot_be_read_now_waits_elsewhere_and_holds_nobody_up() -> None:
    world = World()
    world.faults.order("blob fails")
    large, neighbour = world.request(), world.request()
    large = large.model_copy(update={"body": None, "blob": BlobRange(offset=0, length=10)})
    report = await world.dispatch(large, neighbour)
    assert world.kinds(neighbour) == ["attempt", "succeeded"]
    assert len(report.positions) == 1
    (copy,) = world.on_hub()
    assert isinstance(copy, RequestEvent)
    assert (copy.request_id, copy.slot, copy.blob) == (large.request_id, 1, large.blob)
    assert "its input cannot be read now" in report.annotations[0]["why"]
