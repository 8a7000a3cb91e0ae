"""Runs of the world under drawn faults, and the shrinking of those that break a promise."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from local.virtual_time import run_virtually
from ptu_optimizer.requests.item import Spillover

from .faults import Faults, drawn_rates
from .world import TIMING, World, loud, same_jitter

FAULTS_UNTIL = 240.0
DEADLINE = 1200.0


@dataclass(frozen=True)
class Run:
    seed: int
    violations: list[str]
    struck: list[str]
    log: list[str]

    def __str__(self) -> str:
        lines = [f"seed {self.seed} broke a promise:", *self.violations, "", *self.log]
        return "\n".join(lines)


def run(seed: int, *, only: Collection[str] | None = None) -> Run:
    """One run, the same for the same seed."""
    with same_jitter(seed), loud() as errors:
        result = run_virtually(_run(seed, only))
    return Run(seed, result.violations + errors, result.struck, result.log)


async def _run(seed: int, only: Collection[str] | None) -> Run:
    faults = Faults(seed=seed, rates=drawn_rates(seed), until=FAULTS_UNTIL, only=only)
    draw = Faults(seed=seed)  # for what is not a fault
    strong = draw.pick("consistency", 0, 1) < 0.7
    if strong:
        faults.rates = {**faults.rates, "read is stale": 0.0}
    half = TIMING.skew / 2
    skews = tuple(draw.pick(f"skew {i}", -half, half) for i in range(3))
    world = World(
        faults=faults, skews=(skews[0], skews[1], skews[2]), deadline=DEADLINE, strong=strong
    )
    loop_errors: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: loop_errors.append(_loop_error(context))
    )
    world.start(sweeps=1 + int(draw.pick("sweeps", 0, 2)))
    world.also(world.watch(every=draw.pick("watch", 5, 60)))
    if draw.pick("cancels", 0, 1) < 0.4:
        world.also(world.cancel(int(draw.pick("which", 0, 3)), at=draw.pick("when", 0.1, 60)))
    for call in range(1 + int(draw.pick("calls", 0, 3))):
        at = 0 if call == 0 else draw.pick("call at", 0, FAULTS_UNTIL)
        count = 1 + int(draw.pick("count", 0, 2.5))
        if draw.pick("spills over", 0, 1) < 0.4:
            # its deadline comes while things go wrong: it leaves, or may expire
            within = draw.pick("within", 10, 400)
            spillover = Spillover.BEFORE_DEADLINE
            world.also(world.accept(count, at=at, within=within, spillover=spillover))
        else:
            world.also(world.accept(count, at=at))
    await world.settle(horizon=DEADLINE + 600)
    books, now = world.books, world.now()
    books.close(world.promised(), faults=len(faults.struck), now=now)
    books.nobody_expired(since=DEADLINE, now=now)
    await world.stop()
    return Run(seed, books.violations + loop_errors, faults.struck, books.log)


def _loop_error(context: dict[str, Any]) -> str:
    return f"{context['message']}: {context.get('exception')!r}"


def shrunk(failed: Run) -> Run:
    """The same seed with as few faults as still break a promise."""
    smallest = failed
    chunk = max(1, len(failed.struck) // 2)
    while True:
        start = 0
        while start < len(smallest.struck):
            keep = smallest.struck[:start] + smallest.struck[start + chunk :]
            tried = run(failed.seed, only=frozenset(keep))
            if tried.violations:
                smallest = tried
            else:
                start += chunk
        if chunk == 1:
            return smallest
        chunk //= 2
