"""Requests a second through the whole pipeline, beside a bare loop of the SDK against that PTU."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.throughput import bare
from benchmarks.throughput.bodies import Body, arrays, bodies
from benchmarks.throughput.figures import Mark, Rounds, rate_between
from benchmarks.throughput.outcomes import Outcomes, read_outcomes
from benchmarks.throughput.plan import CALLS_AT_ONCE, ITEMS_PER_CALL, DispatchPlan
from benchmarks.throughput.progress import View
from benchmarks.throughput.report import PartReport, significant
from benchmarks.throughput.running import (
    TIMERS,
    Intake,
    disabled,
    dispatching_host,
    open_session,
    options,
)
from benchmarks.throughput.served import Ptu, watching
from local.system import LocalSystem, Ports, SystemFailed


@dataclass(frozen=True)
class _Rate:
    steady: float
    """Requests a second between 10 % and 90 % served."""
    overall: float
    """From nothing served to all served."""


async def measure(plan: DispatchPlan, *, ports: Ports, view: View) -> PartReport:
    chosen = options(
        ports,
        ptu_arguments=latency_arguments(plan.latency_seconds),
        # the timers belong to the host that dispatches
        settings={"MAX_CONCURRENT_CALLS": str(plan.concurrency), **disabled(TIMERS)},
    )
    ours: list[_Rate] = []
    base: list[_Rate] = []
    succeeded = 0
    async with LocalSystem(chosen) as system:
        round_ = _Round(plan, system=system, view=view)
        for _ in range(plan.rounds):
            base.append(await system.run(round_.bare()))
            rate, outcomes = await system.run(round_.ours())
            ours.append(rate)
            succeeded += outcomes.succeeded
    steady = Rounds(tuple(rate.steady for rate in ours), tuple(rate.steady for rate in base))
    overall = Rounds(tuple(rate.overall for rate in ours), tuple(rate.overall for rate in base))
    return PartReport(
        name=plan.name,
        unit="requests/s",
        ours=steady.ours_median,
        bare=steady.bare_median,
        ratio=steady.ratio,
        bare_is="a loop of AsyncAzureOpenAI.chat.completions.create, the same bodies and PTU",
        targets=plan.targets,
        more={
            "rounds_ours": [significant(value) for value in steady.ours],
            "rounds_bare": [significant(value) for value in steady.bare],
            "overall_ours": significant(overall.ours_median),
            "overall_bare": significant(overall.bare_median),
            "concurrency": plan.concurrency,
            "latency_ms": plan.latency_seconds * 1_000,
            "requests_per_round": plan.requests,
            "succeeded": succeeded,
        },
    )


def latency_arguments(seconds: float) -> tuple[str, ...]:
    """A PTU that answers every call after the same time."""
    if seconds == 0.0:
        return ("--zero-latency",)
    return (
        "--latency",
        f"first_token_seconds={seconds},first_token_seconds_per_prompt_token=0.0,"
        "seconds_per_output_token=0.0,load_slope=0.0",
    )


class _Round:
    """One turn of ours, one of bare, both timed by what the PTU has served."""

    def __init__(self, plan: DispatchPlan, *, system: LocalSystem, view: View) -> None:
        self._plan = plan
        self._system = system
        self._view = view
        self._deployment = system.options.deployments[0].name
        self._bodies: list[Body] = bodies(plan.requests)

    async def bare(self) -> _Rate:
        plan = self._plan
        async with open_session() as session, bare.open_openai(self._system) as client:
            ptu = Ptu(session=session, url=self._system.ptu_url)
            # the SDK loads much of itself at its first call
            await bare.call_all(
                client, self._bodies[:8], deployment=self._deployment, concurrency=8
            )
            await ptu.reset()
            with self._view.step(f"{plan.name}: bare", plan.requests) as step:
                async with watching(ptu, plan.requests, progress=step) as watch:
                    await bare.call_all(
                        client,
                        self._bodies,
                        deployment=self._deployment,
                        concurrency=plan.concurrency,
                    )
                    return _rate(await watch, plan.requests)

    async def ours(self) -> tuple[_Rate, Outcomes]:
        plan, system = self._plan, self._system
        async with open_session() as session:
            ptu = Ptu(session=session, url=system.ptu_url)
            ids = await Intake(system, session).post_all(
                arrays(self._bodies, size=ITEMS_PER_CALL), concurrency=CALLS_AT_ONCE
            )
            await ptu.reset()
            async with dispatching_host(system):
                with self._view.step(f"{plan.name}: ours", plan.requests) as step:
                    rate = _rate(await ptu.watch(plan.requests, progress=step), plan.requests)
            # stopped hosts have drained: every outcome is written
            served = await ptu.counters()
        outcomes = await read_outcomes(system, ids)
        if outcomes.succeeded != plan.requests or served["surplus"]:
            raise SystemFailed(
                f"{plan.requests} requests were queued, the PTU served {served['served']} calls "
                f"({served['surplus']} of them again), and the ledger says: {outcomes}"
            )
        return rate, outcomes


def _rate(marks: list[Mark], total: int) -> _Rate:
    return _Rate(
        steady=rate_between(marks, total=total),
        overall=rate_between(marks, total=total, low=0.0, high=1.0),
    )
