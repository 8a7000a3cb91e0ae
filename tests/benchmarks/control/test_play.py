"""Two minutes of the real thing: it dispatches, it repeats, and its processes share nothing."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from functools import cache
from typing import Any

import pytest

from benchmarks.control.making import process_of, world_of
from benchmarks.control.play import play
from benchmarks.control.policies import POLICIES
from benchmarks.control.processes import RESTART_SECONDS, Fleet, Process, track_processes
from benchmarks.control.row import Result, Row
from benchmarks.control.scenarios import SCENARIOS
from benchmarks.control.services import World
from local.virtual_time import in_virtual_time
from ptu_optimizer.composition.application import Application

MINIATURE = Row(
    scenario=replace(SCENARIOS["B"], most_seconds=120.0),
    bucket_seconds=10,
    processes=2,
    signals="live",
)


@cache
def played(row: Row) -> Result:
    return play(row)


@pytest.mark.parametrize("signals", ["live", "events", "monitor"])
def test_two_minutes_are_played_with_each_signal(signals: Any) -> None:
    result = played(replace(MINIATURE, signals=signals))
    assert result.figures.idle_alone > 0.3
    assert result.batch_calls > 0
    assert result.completed > 0
    assert 0 < result.figures.batch_share < result.figures.idle_alone + 0.3


def test_a_row_repeats() -> None:
    row = replace(MINIATURE, processes=1)
    assert play(row).figures == play(row).figures


@pytest.mark.parametrize("policy", POLICIES)
def test_every_other_policy_stands_behind_the_same_gate(policy: str) -> None:
    row = replace(MINIATURE, processes=1, policy=policy, profile=True)
    result = played(replace(row, scenario=replace(row.scenario, most_seconds=200.0)))
    assert result.batch_calls > 0
    assert result.decision_ms is not None


def test_a_picture_has_a_sample_every_few_seconds() -> None:
    result = played(replace(MINIATURE, picture=True))
    assert len(result.samples) == 23
    assert all(sample.interactive + sample.batch < 1.0001 for sample in result.samples)


# --- processes ----------------------------------------------------------------------------------


def reachable(application: Application) -> Iterator[object]:
    """Everything of the app that hangs from it, up to what the world is made of."""
    seen: set[int] = set()
    waiting: list[object] = [application]
    ends = (type, types.ModuleType, types.FunctionType, World)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, ends):
            continue
        seen.add(id(one))
        if type(one).__module__.startswith("ptu_optimizer"):
            yield one
        waiting += gc.get_referents(one)


@in_virtual_time
async def test_processes_share_no_object_of_the_app_that_could_change() -> None:
    world, _ = world_of(MINIATURE)
    one, other = (process_of(MINIATURE, world, None, number, 0).application for number in (0, 1))
    assert one.dispatcher is not other.dispatcher
    first = {id(found): found for found in reachable(one)}
    shared = [found for found in reachable(other) if id(found) in first]
    assert len(first) > 10
    assert [found for found in shared if not _frozen(found)] == []


def _frozen(found: object) -> bool:
    if isinstance(found, Enum):
        return True
    parameters = getattr(type(found), "__dataclass_params__", None)
    config = getattr(type(found), "model_config", {})
    return bool(parameters is not None and parameters.frozen) or bool(config.get("frozen"))


@in_virtual_time
async def test_a_killed_process_sends_no_more_and_its_successor_takes_its_batches_again() -> None:
    track_processes(asyncio.get_running_loop())
    row = replace(MINIATURE, processes=1)
    world, _ = world_of(row)
    made: list[Process] = []

    def make(number: int, life: int) -> Process:
        made.append(process_of(row, world, None, number, life))
        return made[-1]

    fleet = Fleet(make, count=1)
    fleet.start()
    await asyncio.sleep(20)
    sent, under_way = world.plant.sent, world.plant.deployment.counters.batch.in_flight
    assert sent > 0
    assert under_way > 0
    assert world.last_sender is made[0].wire
    fleet.kill(world.last_sender)
    await asyncio.sleep(RESTART_SECONDS - 0.1)
    assert world.plant.sent == sent
    assert len(made) == 1
    # nobody waits for its calls any more, and they ran to their ends all the same
    assert world.plant.deployment.counters.batch.in_flight < under_way
    await asyncio.sleep(60)
    assert len(made) == 2
    assert world.plant.sent > sent
    assert world.last_sender is made[1].wire
    fleet.stop()
