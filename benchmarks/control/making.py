"""What a row is made of: the world that its processes share, and the processes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from benchmarks.control import jobs
from benchmarks.control.controls import Controls
from benchmarks.control.hubs import MemoryHubs
from benchmarks.control.plant import Plant
from benchmarks.control.processes import Process
from benchmarks.control.row import Row
from benchmarks.control.scenarios import DEPLOYMENT
from benchmarks.control.services import MemoryServices, Wire, World
from benchmarks.control.settings import REQUEST_ID_KEY, batch_size, settings_of
from benchmarks.control.signals import UsageEvents
from benchmarks.control.store import (
    BlobContainer,
    CapacityContainer,
    GroupContainer,
    LedgerContainer,
)
from benchmarks.control.traces import Job, read_jobs
from local.virtual_time import VirtualClock
from ptu_optimizer.composition.application import Application
from ptu_optimizer.requests.ids import IdMint

LEAST_PARTITIONS = 4
"""Of each hub; with more processes, one for each."""


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
        application=application_of(row, wire, name=f"worker-{number}-{life}", controls=controls),
        partitions=[
            partition
            for partition in world.hubs.all_partitions()
            if partition.number % row.processes == number
        ],
        batch_size=batch_size(),
    )


def application_of(
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
