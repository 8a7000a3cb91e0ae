"""How long an invocation lasts whose turn to send does not come, or comes at the last moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.coordination.send_lease import SendLease
from ptu_optimizer.ports.hubs import REQUESTS
from ptu_optimizer.requests.envelope import RequestEvent
from tests.requests.protocol.process import DEPLOYMENT
from tests.requests.protocol.world import TIMING, World

WHY = "another process has the turn to send"


@contextlib.asynccontextmanager
async def another_sends(world: World, *, seconds: float = float("inf")) -> AsyncIterator[None]:
    """Another process holds the lease of the hub for so long, and renews it; then it leaves."""

    async def hold() -> None:
        ends, serial = world.now() + seconds, 0
        while True:
            serial += 1
            holder = "another" if world.now() < ends else ""
            lease = SendLease(
                deployment=DEPLOYMENT,
                hub=REQUESTS,
                holder=holder,
                serial=serial,
                since=EPOCH + world.now(),
            )
            world.flows["lease"] = {**lease.record(), "_etag": str(serial)}
            if not holder:
                return
            await asyncio.sleep(min(3.0, ends - world.now()))

    world.process().gate.turn(REQUESTS, ours=False, why=WHY)
    holding = asyncio.create_task(hold())
    try:
        yield
    finally:
        holding.cancel()


async def seconds_of(world: World, event: RequestEvent) -> float:
    """How long the invocation of this event lasts."""
    started = world.now()
    await world.dispatch(event)
    return world.now() - started


@in_virtual_time
async def test_a_request_whose_turn_does_not_come_is_published_again_after_the_wait() -> None:
    world = World()
    event = world.request(deadline=7_000.0)
    async with another_sends(world):
        seconds = await seconds_of(world, event)
    assert seconds == pytest.approx(TIMING.turn_wait, abs=2.0)
    (copy,) = world.on_hub()
    assert isinstance(copy, RequestEvent)
    assert copy.why == WHY
    assert world.kinds(event) == []


@in_virtual_time
async def test_a_turn_at_the_last_moment_leaves_time_for_the_longest_call() -> None:
    """The longest that an invocation lasts: the wait, its budget anew, a call and the writes."""
    world = World(max_failures=1)
    world.has_room()
    world.faults.order("long call")
    event = world.request(deadline=7_000.0)
    async with another_sends(world, seconds=TIMING.turn_wait - 5.0):
        seconds = await seconds_of(world, event)
    assert world.kinds(event)[0] == "attempt"
    assert seconds > TIMING.turn_wait
    work = TIMING.invocation_budget + TIMING.call_limit + 2 * TIMING.write_budget
    assert seconds <= TIMING.turn_wait + work
