"""Plays one row: the real application, in as many processes as it says, for an hour of no time."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

from benchmarks.control import jobs
from benchmarks.control.baseline import baseline
from benchmarks.control.controls import Controls
from benchmarks.control.figures import Outcome, figures
from benchmarks.control.hubs import MemoryHubs
from benchmarks.control.plant import Plant
from benchmarks.control.processes import Fleet, Process, track_processes
from benchmarks.control.row import KILL_SECONDS, Result, Row, Sample
from benchmarks.control.scenarios import DEPLOYMENT
from benchmarks.control.services import MemoryServices, Wire, World
from benchmarks.control.settings import REQUEST_ID_KEY, batch_size, settings_of
from benchmarks.control.signals import UsageEvents, write_minutes, write_usage
from benchmarks.control.store import (
    BlobContainer,
    CapacityContainer,
    GroupContainer,
    LedgerContainer,
)
from benchmarks.control.traces import Job, read_jobs
from local.virtual_time import VirtualClock, run_virtually
from ptu_optimizer.bootstrap import Application
from ptu_optimizer.requests.ids import IdMint

LEAST_PARTITIONS = 4

SAMPLE_SECONDS = 5.0


def play(row: Row) -> Result:
    """Run a row in a virtual time of its own. Raises ValueError for a trace that leaves nothing."""
    random.seed(row.seed)
    started = time.perf_counter()
    result = run_virtually(_play(row, started))
    gc.collect()
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
        feed = _application(row, Wire(world), name="usage").usage_feed
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
            if self._world.last_sender is not None:
                self._fleet.kill(self._world.last_sender)
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


def world_of(row: Row) -> tuple[World, UsageEvents]:
    """What the processes share, and the interactive gateway."""
    scenario, conditions = row.scenario, row.conditions
    events = UsageEvents(
        deployment=DEPLOYMENT, lost_share=conditions.lost_events_share, seed=row.seed + 1
    )
    plant = Plant(
        scenario.deployment(bucket_seconds=row.bucket_seconds),
        scenario.calls(),
        behaviour=replace(conditions.behaviour, header=row.signals == "live"),
        gateway=events if row.signals == "events" else None,
        seed=row.seed + 2,
        resizes=scenario.resizes(),
    )
    world = World(
        plant=plant,
        hubs=_hubs(row),
        capacity=CapacityContainer(),
        ledger=LedgerContainer(),
        groups=GroupContainer(),
        blobs=BlobContainer(),
    )
    return world, events


def _hubs(row: Row) -> MemoryHubs:
    count = max(LEAST_PARTITIONS, row.processes)
    lengths = jobs.lengths(_jobs(), seed=row.seed)
    mint = IdMint(REQUEST_ID_KEY.encode(), random_bytes=random.Random(row.seed).randbytes)
    backlogs = {
        number: jobs.events(
            lengths,
            mint=mint,
            deployment=DEPLOYMENT,
            reserve_factor=row.conditions.reserve_factor,
        )
        for number in range(row.conditions.loaded_partitions or count)
    }
    return MemoryHubs(count=count, backlogs=backlogs)


def process_of(
    row: Row, world: World, controls: Controls | None, number: int, life: int
) -> Process:
    """Without `controls` it keeps the app's own controllers."""
    wire = Wire(world)
    return Process(
        wire=wire,
        application=_application(row, wire, name=f"worker-{number}-{life}", controls=controls),
        partitions=[
            partition
            for partition in world.hubs.all_partitions()
            if partition.number % row.processes == number
        ],
        batch_size=batch_size(),
    )


def _application(
    row: Row, wire: Wire, *, name: str, controls: Controls | None = None
) -> Application:
    return Application(
        settings_of(row),
        services=MemoryServices(wire),
        clock=VirtualClock(),
        worker=name,
        control=None if controls is None else controls.choose,
    )


@cache
def _jobs() -> Sequence[Job]:
    return read_jobs()
