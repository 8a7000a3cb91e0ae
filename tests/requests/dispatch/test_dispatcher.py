"""What is not the ledger's protocol: a bad event is put aside, and its neighbours go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.hubs import REQUESTS_LATER
from ptu_optimizer.requests.envelope import BlobRange, RequestEvent
from ptu_optimizer.requests.id_keys import DECIDES_WITHIN_SECONDS, RotatingIds
from ptu_optimizer.requests.ledger.result_event import ResultEvent
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from tests.requests.protocol.world import World
from tests.support.id_keys import NEW, FakeVault, group_of, version


def _result(request_id: str, kind: SlotKind = SlotKind.SUCCEEDED) -> dict[str, Any]:
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


@in_virtual_time
async def test_a_call_that_a_library_cancelled_is_an_error_of_one_request() -> None:
    """`CancelledError` is no `Exception`: it once went through the whole batch to the trigger."""
    world = World()
    world.faults.order("blob cancelled")
    large, neighbour = world.request(), world.request()
    large = large.model_copy(update={"body": None, "blob": BlobRange(offset=0, length=10)})
    report = await world.dispatch(large, neighbour)
    assert world.kinds(neighbour) == ["attempt", "succeeded"]
    assert len(report.positions) == 1
    (copy,) = world.on_hub()
    assert isinstance(copy, RequestEvent)
    assert (copy.request_id, copy.slot) == (large.request_id, 1)
    assert report.annotations[0]["why"] == "an internal error"


# --- keys of request ids -------------------------------------------------------------------------


def _foreign(world: World) -> RequestEvent:
    """An event whose id was signed with a key that the vault does not have."""
    return world.request().model_copy(update={"request_id": group_of(NEW).request_id(0)})


@in_virtual_time
async def test_without_a_key_a_batch_comes_again_and_nothing_is_put_aside() -> None:
    vault = FakeVault()
    vault.is_away = True
    world = World(ids=RotatingIds(reader=vault, clock=VirtualClock()))
    event = world.request()
    with pytest.raises(DependencyUnavailable, match="Key Vault"):
        await world.dispatch(event)
    assert world.kinds(event) == []
    vault.is_away = False
    await asyncio.sleep(5.0)
    report = await world.dispatch(event)
    assert (world.kinds(event), report.dead_letters) == (["attempt", "succeeded"], [])


@in_virtual_time
async def test_an_unknown_id_is_a_dead_letter_only_with_keys_that_were_read_of_late() -> None:
    vault = FakeVault()
    world = World(ids=RotatingIds(reader=vault, clock=VirtualClock()))
    foreign, neighbour = _foreign(world), world.request()
    await world.dispatch(neighbour)
    vault.is_away = True
    await asyncio.sleep(DECIDES_WITHIN_SECONDS + 1)
    with pytest.raises(DependencyUnavailable, match="Key Vault"):
        await world.dispatch(foreign)
    vault.is_away = False
    await asyncio.sleep(5.0)
    report = await world.dispatch(foreign)
    assert [letter["reason"][:9] for letter in report.dead_letters] == ["forged id"]


@in_virtual_time
async def test_a_process_that_is_behind_a_rotation_dispatches_what_the_new_key_signed() -> None:
    vault = FakeVault()
    world = World(ids=RotatingIds(reader=vault, clock=VirtualClock()))
    await world.dispatch(world.request())
    await asyncio.sleep(DECIDES_WITHIN_SECONDS + 1)
    vault.versions = (*vault.versions, version(NEW, created_at=1.0))
    event = _foreign(world)
    report = await world.dispatch(event)
    assert report.dead_letters == []
    assert world.kinds(event)[:1] == ["attempt"]
