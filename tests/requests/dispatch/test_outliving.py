"""Calls that outlive their batch: its event is read and gone, and nothing is lost all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from local.virtual_time import in_virtual_time
from ptu_optimizer.requests.dispatch.delivery_progress import FULL_BATCH_EVENTS
from ptu_optimizer.requests.envelope import RequestEvent
from tests.requests.protocol.world import TIMING as SMALL
from tests.requests.protocol.world import World, loud

TIMING = replace(SMALL, invocation_budget=2_000.0)
"""Time enough for a hundred calls, four at a time."""


async def returned(world: World) -> list[RequestEvent]:
    """A full batch has returned; these of it are still under way."""
    world.has_room()
    events = [world.request(deadline=7_000.0) for _ in range(FULL_BATCH_EVENTS)]
    world.faults.order("long call", skip=FULL_BATCH_EVENTS - 1)
    report = await world.dispatch(*events)
    assert len(report.positions) == 1, "the host goes on behind it"
    left = [event for event in events if world.kinds(event) == ["attempt"]]
    assert left, "nothing is under way: nothing is shown"
    return left


async def swept(world: World) -> None:
    """Hosts and sweeps run until every promised request has its outcome."""
    world.start()
    horizon = world.now() + 3_600
    while not world.is_settled():
        assert world.now() < horizon
        await asyncio.sleep(5)
    await world.stop()
    assert world.books.violations == []


@in_virtual_time
async def test_a_crash_after_the_batch_has_returned_is_found_by_the_sweep() -> None:
    world = World(timing=TIMING)
    left = await returned(world)
    world.process().crash()
    await asyncio.sleep(2 * TIMING.call_limit)
    assert all(world.kinds(event) == ["attempt"] for event in left), "they died with their process"
    await swept(world)
    assert [world.kinds(event)[-1] for event in left] == ["succeeded"] * len(left)


@in_virtual_time
async def test_an_outcome_that_finds_no_place_is_logged_and_found_by_the_sweep() -> None:
    """Nobody delivers the batch again: its function has returned."""
    world = World(timing=TIMING)
    left = await returned(world)
    world.faults.order("create lost", "succeeded", times=10_000)
    world.faults.order("publish lost", times=10_000)
    with loud() as errors:
        await asyncio.sleep(2 * TIMING.lease)
    assert len(errors) == len(left)
    assert all("a call that outlived its batch left no outcome" in error for error in errors)
    world.faults.stop()
    await swept(world)
    assert [world.kinds(event)[-1] for event in left] == ["succeeded"] * len(left)
