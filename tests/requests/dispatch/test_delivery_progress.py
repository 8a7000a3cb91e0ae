"""A full batch returns when its calls are under way, so that its partition flows steadily."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from local.virtual_time import in_virtual_time
from ptu_optimizer.requests.dispatch.delivery_progress import FULL_BATCH_EVENTS, DeliveryProgress
from ptu_optimizer.requests.dispatch.invocation import Report
from ptu_optimizer.requests.envelope import RequestEvent
from tests.requests.protocol.world import TIMING as SMALL
from tests.requests.protocol.world import World

HOST = Path(__file__).parents[3] / "host.json"
TIMING = replace(SMALL, invocation_budget=2_000.0)
"""Time enough for a hundred calls, four at a time."""

SLOWEST = 0.8 * TIMING.call_limit
"""A "long call" takes at least so long, any other at most a third of the limit."""


def test_a_full_batch_is_what_the_host_delivers_at_most() -> None:
    host = orjson.loads(HOST.read_bytes())
    assert host["extensions"]["eventHubs"]["maxEventBatchSize"] == FULL_BATCH_EVENTS


# --- the count ----------------------------------------------------------------------------------


@in_virtual_time
async def test_it_has_moved_on_when_none_waits_any_more() -> None:
    progress = DeliveryProgress()
    progress.begins("a")
    progress.begins("b")
    moved = asyncio.create_task(progress.moved_on())
    progress.under_way("a")
    await asyncio.sleep(1)
    assert not moved.done()
    progress.done("b")
    await asyncio.sleep(1)
    assert moved.done()


@in_virtual_time
async def test_who_stands_at_the_gate_again_is_waited_for_again() -> None:
    progress = DeliveryProgress()
    for request in ("a", "b"):
        progress.begins(request)
    moved = asyncio.create_task(progress.moved_on())
    progress.under_way("a")
    progress.waits_again("a")
    progress.under_way("b")
    await asyncio.sleep(1)
    assert not moved.done()
    progress.under_way("a")
    progress.done("a")
    await asyncio.sleep(1)
    assert moved.done()


@in_virtual_time
async def test_nothing_to_wait_for_has_moved_on() -> None:
    await asyncio.wait_for(DeliveryProgress().moved_on(), timeout=1)


# --- the dispatcher -----------------------------------------------------------------------------


def batch(world: World, size: int) -> list[RequestEvent]:
    world.has_room()
    return [world.request(deadline=7_000.0) for _ in range(size)]


def finished(world: World, events: list[RequestEvent]) -> int:
    return sum("succeeded" in world.kinds(event) for event in events)


async def timed(world: World, events: list[RequestEvent]) -> tuple[Report, float]:
    """The report, and how many seconds it took."""
    began = world.now()
    report = await world.dispatch(*events)
    return report, world.now() - began


@in_virtual_time
async def test_a_full_batch_returns_when_its_calls_are_under_way() -> None:
    world = World(timing=TIMING)
    events = batch(world, FULL_BATCH_EVENTS)
    report, _ = await timed(world, events)
    assert len(report.positions) == 1
    assert all("attempt" in world.kinds(event) for event in events), "none is left behind"
    assert finished(world, events) < FULL_BATCH_EVENTS, "the last are under way"
    await asyncio.sleep(TIMING.call_limit)
    assert finished(world, events) == FULL_BATCH_EVENTS, "calls outlive their batch"


@in_virtual_time
async def test_a_slow_call_does_not_hold_its_partition() -> None:
    world = World(timing=TIMING)
    events = batch(world, FULL_BATCH_EVENTS)
    world.faults.order("long call", skip=FULL_BATCH_EVENTS - 1)
    await world.dispatch(*events)
    returned = world.now()
    slow = [event for event in events if "succeeded" not in world.kinds(event)]
    await asyncio.sleep(SLOWEST / 2)
    (slowest,) = [event for event in slow if "succeeded" not in world.kinds(event)]
    following = batch(world, FULL_BATCH_EVENTS)
    next_batch = asyncio.create_task(world.dispatch(*following))
    await asyncio.sleep(SLOWEST / 4)
    assert world.now() < returned + SLOWEST
    assert any("attempt" in world.kinds(event) for event in following), "the flow is steady"
    assert "succeeded" not in world.kinds(slowest)
    await next_batch
    assert world.kinds(slowest) == ["attempt", "succeeded"]


@pytest.mark.parametrize("size", [1, 3, FULL_BATCH_EVENTS - 1])
@in_virtual_time
async def test_a_smaller_batch_waits_for_all(size: int) -> None:
    world = World(timing=TIMING)
    events = batch(world, size)
    world.faults.order("long call", skip=size - 1)
    _, seconds = await timed(world, events)
    assert finished(world, events) == size
    assert seconds >= SLOWEST


@in_virtual_time
async def test_what_a_call_that_outlived_its_batch_leaves_behind_comes_with_the_next_report() -> (
    None
):
    world = World(timing=TIMING)
    events = batch(world, FULL_BATCH_EVENTS)
    world.faults.order("429 for long", skip=FULL_BATCH_EVENTS - 1)
    first = await world.dispatch(*events)
    assert first.annotations == []
    await asyncio.sleep(2 * TIMING.call_limit + TIMING.hold)
    (put_off,) = [event for event in events if "succeeded" not in world.kinds(event)]
    assert [copy.request_id for copy in world.on_hub()] == [put_off.request_id]

    second = await world.dispatch()
    assert [note["request_id"] for note in second.annotations] == [put_off.request_id]
    third = await world.dispatch()
    assert third.annotations == [], "once"
