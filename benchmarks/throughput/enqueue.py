"""Items a second into the hub: `POST /producer` beside the bare Event Hubs producer."""

from __future__ import annotations

import asyncio
from functools import partial

from azure.eventhub.aio import EventHubProducerClient

from benchmarks.throughput import bare
from benchmarks.throughput.bodies import arrays, bodies
from benchmarks.throughput.figures import Rounds
from benchmarks.throughput.plan import CALLS_AT_ONCE, ENQUEUE, ITEMS_PER_CALL, EnqueuePlan
from benchmarks.throughput.progress import View
from benchmarks.throughput.report import PartReport, significant
from benchmarks.throughput.running import Intake, open_session, options
from benchmarks.throughput.side_by_side import at_once
from local.system import LocalSystem, Ports


async def measure(plan: EnqueuePlan, *, ports: Ports, view: View) -> PartReport:
    """Dispatch is switched off: only the way in is measured, with the timers as they are."""
    lots = arrays(bodies(plan.calls * ITEMS_PER_CALL), size=ITEMS_PER_CALL)
    async with LocalSystem(options(ports, ptu_arguments=(), settings={})) as system:
        rounds = await system.run(_rounds(plan, lots, system=system, view=view))
    return PartReport(
        name=ENQUEUE,
        unit="items/s",
        ours=rounds.ours_median,
        bare=rounds.bare_median,
        ratio=rounds.ratio,
        bare_is="azure-eventhub's aio producer, the same bodies to the same hub in full batches",
        targets=plan.targets,
        more={
            "rounds_ours": [significant(value) for value in rounds.ours],
            "rounds_bare": [significant(value) for value in rounds.bare],
            "items_per_round": plan.calls * ITEMS_PER_CALL,
            "items_per_call": ITEMS_PER_CALL,
            "calls_at_once": CALLS_AT_ONCE,
        },
    )


async def _rounds(
    plan: EnqueuePlan, lots: list[list[bytes]], *, system: LocalSystem, view: View
) -> Rounds:
    ours: list[float] = []
    base: list[float] = []
    async with open_session() as session, bare.open_producer(system) as producer:
        intake = Intake(system, session)
        # connections, clients and code that is loaded on first use are not what is measured
        await _ours(intake, lots[:CALLS_AT_ONCE])
        await _bare(producer, lots[:CALLS_AT_ONCE])
        with view.step(f"{ENQUEUE}: rounds", 2 * plan.rounds) as step:
            for number in range(plan.rounds):
                ours.append(await _ours(intake, lots))
                step(2 * number + 1)
                base.append(await _bare(producer, lots))
                step(2 * number + 2)
    return Rounds(tuple(ours), tuple(base))


async def _ours(intake: Intake, lots: list[list[bytes]]) -> float:
    clock = asyncio.get_running_loop().time
    started = clock()
    ids = await intake.post_all(lots, concurrency=CALLS_AT_ONCE)
    return len(ids) / (clock() - started)


async def _bare(producer: EventHubProducerClient, lots: list[list[bytes]]) -> float:
    clock = asyncio.get_running_loop().time
    started = clock()
    await at_once(partial(bare.publish, producer), lots, concurrency=CALLS_AT_ONCE)
    return sum(map(len, lots)) / (clock() - started)
