"""One fault at every single place where it can strike: the promises hold after each of them.

The runs of `test_runs.py` are drawn; these are complete, for one fault and a few short lives.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local.virtual_time import run_virtually
from ptu_optimizer.ports.hubs import REQUESTS, Outgoing
from tests.requests.protocol.faults import Faults
from tests.requests.protocol.world import World, loud, same_jitter

DEADLINE = 900.0
MOST_PLACES = 200
FAULTS = (
    "crash",
    "create lost",
    "create landed unseen",
    "create lands later",
    "writes down",
    "reads down",
    "read fails",
    "publish lost",
    "publish landed unseen",
    "hub down",
    "event lost",
    "batch delivered twice",
    "binding fails",
    "slow call",
    "frozen call",
)


def _plain(faults: Faults) -> None:
    """One call, one outcome."""


def _refused_by_the_service(faults: Faults) -> None:
    faults.order("429", times=2)
    faults.order("transient")


def _left_by_its_worker(faults: Faults) -> None:
    faults.order("crash", "call")


def _unwritable_at_first(faults: Faults) -> None:
    faults.order("create lost", "succeeded", times=9)


LIVES: tuple[Callable[[Faults], None], ...] = (
    _plain,
    _refused_by_the_service,
    _left_by_its_worker,
    _unwritable_at_first,
)


async def _live(life: Callable[[Faults], None], fault: str, skip: int) -> tuple[World, bool]:
    """One life of a request with one more fault; whether that found a place."""
    faults = Faults(until=0.0)
    life(faults)
    order = faults.order(fault, "p0" if fault == "crash" else "", skip=skip)
    world = World(faults=faults, deadline=DEADLINE)
    event = world.request()
    world.start()
    world.hubs.enqueue(REQUESTS, Outgoing(event.encode()))
    await world.settle(horizon=DEADLINE + 300)
    world.books.close(world.promised(), faults=len(faults.struck), now=world.now())
    world.books.nobody_expired(since=0.0, now=world.now())
    await world.stop()
    return world, order.struck > 0


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_at_every_step(fault: str) -> None:
    struck = 0
    for life in LIVES:
        for skip in range(MOST_PLACES):
            with same_jitter(0), loud() as errors:
                world, found_a_place = run_virtually(_live(life, fault, skip))
            assert world.books.violations + errors == [], "\n".join(world.books.log)
            if not found_a_place:
                break
            struck += 1
    assert struck > 0, f"nothing here can be struck by {fault}"
