"""Plays one row: the real application, in as many processes as it says, for an hour of no time."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from functools import partial

from benchmarks.control.baseline import baseline
from benchmarks.control.controls import Controls
from benchmarks.control.figures import Outcome, figures
from benchmarks.control.making import application_of, process_of, world_of
from benchmarks.control.plant import Plant
from benchmarks.control.processes import Fleet, track_processes
from benchmarks.control.row import KILL_SECONDS, Result, Row, Sample
from benchmarks.control.scenarios import DEPLOYMENT
from benchmarks.control.services import Wire, World
from benchmarks.control.signals import write_minutes, write_usage
from local.virtual_time import run_virtually

SAMPLE_SECONDS = 5.0


def play(row: Row) -> Result:
    """Run a row in a virtual time of its own. Raises ValueError for a trace that leaves nothing."""
    random.seed(row.seed)
    started = time.perf_counter()
    result = run_virtually(_play(row, started))
    gc.collect()  # tasks and their futures hold each other: the next row wants the room
    return result


async def _play(row: Row, started: float) -> Result:
    loop = asyncio.get_running_loop()
    track_processes(loop)
    alone = baseline(row.scenario, bucket_seconds=row.bucket_seconds)
    world, events = world_of(row)
    plant = world.plant
    controls = Controls(row, plant=plant, alone=alone)
    fleet = Fleet(partial(process_of, row, world, controls), count=row.processes)
    killer, sampler = Killer(fleet, world), Sampler(plant)
    background = [
        write_minutes(
            plant,
            world.capacity,
            deployment=DEPLOYMENT,
            metric=row.conditions.metric,
            silent=row.conditions.metric_silent,
            seed=row.seed + 3,
            also=controls.minute,
        )
    ]
    if row.signals == "events":
        feed = application_of(row, Wire(world), name="usage").usage_feed
        background.append(write_usage(events, feed, plant, world.capacity))
    if row.kill:
        background.append(killer.run())
    if row.picture:
        background.append(sampler.run())
    tasks = [loop.create_task(one) for one in background]
    fleet.start()
    await asyncio.sleep(alone.seconds - loop.time())
    plant.settle()
    fleet.stop()
    for task in tasks:
        task.cancel()
    deployment = plant.deployment
    return Result(
        row=row,
        figures=figures(
            Outcome(
                batch_work=deployment.counters.batch.work,
                refused=plant.interactive.refused,
                batch_429=deployment.counters.batch.refused,
                drained=deployment.bucket.drained,
                work_at_end=deployment.bucket.work,
            ),
            alone,
        ),
        wall_seconds=time.perf_counter() - started,
        batch_calls=plant.sent,
        completed=deployment.counters.batch.served,
        copies=world.hubs.published["requests-later"],
        reads=world.capacity.reads,
        writes=world.capacity.writes,
        kills=killer.kills,
        decision_ms=controls.decision_ms(plant.sent),
        samples=tuple(sampler.samples),
        refusals=tuple(plant.interactive.refused_at) if row.picture else (),
        refusals_alone=tuple(alone.refused_at) if row.picture else (),
    )


class Killer:
    """Kills whoever sent last, every so often."""

    def __init__(self, fleet: Fleet, world: World) -> None:
        self.kills = 0
        self._fleet = fleet
        self._world = world

    async def run(self) -> None:
        while True:
            await asyncio.sleep(KILL_SECONDS)
            sender = self._world.last_sender
            if sender is not None and not sender.cut:
                self._fleet.kill(sender)
                self.kills += 1


class Sampler:
    """What was drained of whose work, every so often, for a picture."""

    def __init__(self, plant: Plant) -> None:
        self.samples: list[Sample] = []
        self._plant = plant

    async def run(self) -> None:
        deployment = self._plant.deployment
        before = (0.0, 0.0)
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            now = self._plant.settle()
            drained = deployment.drained(now)
            room = deployment.bucket.work_per_second * SAMPLE_SECONDS
            interactive, batch = ((d - b) / room for d, b in zip(drained, before, strict=True))
            self.samples.append(
                Sample(at=now, interactive=interactive, batch=batch, level=deployment.level(now))
            )
            before = drained
