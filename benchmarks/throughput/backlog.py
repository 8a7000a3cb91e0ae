"""Whether a host cares how much is queued: its memory and its time a request, 100,000 beside 1,000.

Two systems, so that the two backlogs can take turns. Each turn starts a host, which dispatches as
many requests of its backlog as the small one has.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from statistics import median

import aiohttp

from benchmarks.throughput.bodies import arrays, bodies
from benchmarks.throughput.dispatch import latency_arguments
from benchmarks.throughput.figures import rate_between
from benchmarks.throughput.memory import megabytes, watch_peak
from benchmarks.throughput.plan import BACKLOG, CALLS_AT_ONCE, ITEMS_PER_CALL, BacklogPlan
from benchmarks.throughput.progress import View
from benchmarks.throughput.report import PartReport, significant
from benchmarks.throughput.running import (
    TIMERS,
    Intake,
    disabled,
    dispatching_host,
    open_session,
    options,
    second,
)
from benchmarks.throughput.served import Ptu
from local.system import LocalSystem, Options, Ports, SystemFailed

FILL_ITEMS = 10_000
"""Bodies in memory at a time while a backlog is filled."""

STEADY_FROM = 0.4
STEADY_TO = 0.9
"""The part of a turn that is timed. What a stopped host had not checkpointed comes again first, at
most a batch of each partition; that is the price of a restart, not of a backlog.
"""


@dataclass
class _Turns:
    """What the turns of one backlog measured."""

    seconds_each: list[float] = field(default_factory=list)
    """Seconds a request, in the steady part of each turn."""
    peaks: list[int] = field(default_factory=list)
    """Bytes of listener and worker together."""


async def measure(plan: BacklogPlan, *, ports: Ports, view: View) -> PartReport:
    """`ours` is the large backlog, `bare` the small one; in milliseconds a request."""
    async with contextlib.AsyncExitStack() as stack:
        small, large = [
            await stack.enter_async_context(LocalSystem(_options(plan, at)))
            for at in (ports, second(ports))
        ]
        session = await stack.enter_async_context(open_session())
        few = _Backlog(plan, system=small, session=session, view=view)
        many = _Backlog(plan, system=large, session=session, view=view)
        await large.run(many.fill(plan.large))
        for number in range(plan.rounds):
            await small.run(few.fill(plan.small))
            await small.run(few.dispatch(plan.small))
            last = number == plan.rounds - 1
            await large.run(many.dispatch(plan.lasting if last else plan.small))
    return _report(plan, few.turns, many.turns)


def _options(plan: BacklogPlan, ports: Ports) -> Options:
    return options(
        ports,
        ptu_arguments=latency_arguments(0.0),
        settings={"MAX_CONCURRENT_CALLS": str(plan.concurrency), **disabled(TIMERS)},
    )


class _Backlog:
    """One system and what is queued there."""

    def __init__(
        self,
        plan: BacklogPlan,
        *,
        system: LocalSystem,
        session: aiohttp.ClientSession,
        view: View,
    ) -> None:
        self.turns = _Turns()
        self._plan = plan
        self._system = system
        self._session = session
        self._view = view
        self._queued = 0
        self._ptu = Ptu(session=session, url=system.ptu_url)

    async def fill(self, number: int) -> None:
        """Queue so many more requests."""
        intake = Intake(self._system, self._session)
        with self._view.step(f"{BACKLOG}: enqueue", number) as step:
            for start in range(0, number, FILL_ITEMS):
                items = bodies(min(FILL_ITEMS, number - start))
                lots = arrays(items, size=ITEMS_PER_CALL)
                await intake.post_all(lots, concurrency=CALLS_AT_ONCE)
                step(start + len(items))
        self._queued += number

    async def dispatch(self, number: int) -> None:
        """A new host dispatches at least `number` of them; time and memory are noted."""
        timed = self._plan.small
        await self._ptu.reset()
        async with dispatching_host(self._system) as host:
            title = f"{BACKLOG}: dispatch of {self._queued:,} queued"
            with self._view.step(title, number) as step:
                async with watch_peak(host.pid) as peak:
                    marks = await self._ptu.watch(number, progress=step)
        counters = await self._ptu.counters()
        if counters["surplus"]:
            raise SystemFailed(f"{counters['surplus']} requests were served again: {counters}")
        self._queued -= counters["served"]
        rate = rate_between(marks, total=timed, low=STEADY_FROM, high=STEADY_TO)
        self.turns.seconds_each.append(1.0 / rate)
        self.turns.peaks.append(peak.bytes)


def _report(plan: BacklogPlan, small: _Turns, large: _Turns) -> PartReport:
    ours, bare = median(large.seconds_each), median(small.seconds_each)
    memory_ratio = max(large.peaks) / max(small.peaks)
    return PartReport(
        name=BACKLOG,
        unit="ms/request",
        ours=ours * 1_000,
        bare=bare * 1_000,
        ratio=ours / bare,
        bare_is=f"the same host with {plan.small:,} requests queued; ours has {plan.large:,}",
        targets=plan.targets,
        more={
            "time_ratio": round(ours / bare, 3),
            "memory_ratio": round(memory_ratio, 3),
            "memory_mb_ours": megabytes(max(large.peaks)),
            "memory_mb_bare": megabytes(max(small.peaks)),
            "rounds_ours": [significant(seconds * 1_000) for seconds in large.seconds_each],
            "rounds_bare": [significant(seconds * 1_000) for seconds in small.seconds_each],
            "rounds_mb_ours": [megabytes(peak) for peak in large.peaks],
            "rounds_mb_bare": [megabytes(peak) for peak in small.peaks],
            "queued_ours": plan.large,
            "queued_bare": plan.small,
            "concurrency": plan.concurrency,
        },
    )
