"""The course of the demo, from the first interactive call to the closing figures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import aiohttp
from azure.eventhub.aio import EventHubProducerClient

from examples.usage_events import UsageSender
from local.demo.alone import refused_alone
from local.demo.api import Api, Result
from local.demo.belief import Beliefs, line
from local.demo.faults import Crash, crash
from local.demo.interactive import InteractiveTraffic
from local.demo.progress import Snapshot, View
from local.demo.questions import read_questions
from local.demo.report import Report, make_report
from local.demo.rescheduled import Rescheduled
from local.demo.truth import Books, LedgerTruth, PtuTruth, Second
from local.system import LocalSystem
from local.system.settings import OPENAI_KEY
from local.traffic.trace import read_slice
from ptu_optimizer.background import end
from ptu_optimizer.ports.hubs import USAGE

_log = logging.getLogger(__name__)

SLICE_START_SECONDS = 1_320.0
SLICE_SECONDS = 90.0
"""A stretch of the trace that leaves half of 660 PTU idle, with a burst above 100 % in it."""

BEFORE_SECONDS = 5.0
"""Interactive traffic alone, so that the picture shows what was idle before."""

LOOK_SECONDS = 0.5
SHOWN_SECONDS = 3.0
"""Loads are shown as means over this time: single calls make single seconds jump."""

LIMIT_SECONDS = 240.0
"""From the submission; what has no outcome by then counts as lost."""

KILL_AT_SHARE = 0.4
"""The crash comes when this share of the requests has been served."""

SETTINGS = {
    # short leases, so that what a crash cut off is taken over in seconds and not in minutes
    "CALL_LIMIT_SECONDS": "12",
    "WRITE_BUDGET_SECONDS": "6",
    "SKEW_SECONDS": "1",
    "HOLD_SECONDS": "10",
    "MAX_CONCURRENT_CALLS": "128",
    "SWEEP_SCHEDULE": "*/10 * * * * *",
}
"""App settings of the demo, where they differ from those of `./dev up`."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the demo is to do."""

    requests: int
    kill: str = ""
    """`host`, `worker`, or nothing."""
    usage_events: bool = False
    """Whether the interactive calls are told of on the hub `usage`, as a gateway would."""


class Demo:
    """One run against a system that has been started."""

    def __init__(
        self, plan: Plan, *, system: LocalSystem, session: aiohttp.ClientSession, view: View
    ) -> None:
        self._plan = plan
        self._system = system
        self._session = session
        self._view = view
        deployment = system.options.deployments[0].name
        self._truth = PtuTruth(session=session, url=system.ptu_url, deployment=deployment)
        self._api = Api(session=session, url=lambda: system.url, key=system.keys.function)
        self._beliefs = Beliefs(self._api, deployment=deployment)
        self._rescheduled = Rescheduled.of(system.settings["EVENT_HUBS"])

    async def run(self) -> tuple[Report, Sequence[Second]]:
        """The figures, and every second of the PTU for the picture."""
        clock = asyncio.get_running_loop().time
        async with (
            self._usage_events() as usage,
            self._interactive_traffic(usage) as traffic,
            self._rescheduled,
            self._beliefs,
        ):
            await asyncio.sleep(BEFORE_SECONDS)
            submitted_at = await self._truth.now()
            deadline = clock() + LIMIT_SECONDS
            ids = await self._api.submit(read_questions(self._plan.requests))
            self._view.say(f"{len(ids)} questions accepted by POST /producer")
            ledger = LedgerTruth(
                connection=self._system.settings["COSMOS"],
                database=self._system.settings["COSMOS_DATABASE"],
                request_ids=ids,
            )
            hit = await self._watch(ledger, submitted_at, deadline)
            served_at = await self._truth.now()
            self._view.say("reading every result back")
            results = await self._api.results(ids, until=deadline)
            outcomes = await ledger.outcomes_by_request()
            books = await self._truth.books()
            alone = refused_alone(
                traffic.sent[: books.interactive_arrived], await self._truth.another()
            )
            seconds = await self._truth.seconds()
        report = make_report(
            results=_by_id(ids, results),
            outcomes=outcomes,
            books=books,
            refused_alone=alone,
            window=[second for second in seconds if submitted_at < second.at <= served_at],
            killed=hit.what if hit else "",
            in_flight_at_kill=hit.in_flight if hit else 0,
            belief=self._beliefs.sending,
        )
        return report, [second for second in seconds if second.at <= served_at]

    async def _watch(
        self, ledger: LedgerTruth, submitted_at: float, deadline: float
    ) -> Crash | None:
        """Show progress until everything was served once and nothing is in flight."""
        clock = asyncio.get_running_loop().time
        hit: Crash | None = None
        while clock() < deadline:
            books = await self._truth.books()
            now = await self._truth.now()
            recent = await self._truth.seconds(since=now - SHOWN_SECONDS)
            self._view.show(self._snapshot(books, recent, now - submitted_at))
            if self._plan.kill and hit is None and self._is_midway(books):
                hit = await crash(
                    self._plan.kill, system=self._system, ledger=ledger, view=self._view
                )
            if books.requests_served >= self._plan.requests and not books.batch_in_flight:
                break
            await asyncio.sleep(LOOK_SECONDS)
        return hit

    def _is_midway(self, books: Books) -> bool:
        reached = books.requests_served >= KILL_AT_SHARE * self._plan.requests
        return reached and books.batch_in_flight > 0

    def _snapshot(self, books: Books, recent: Sequence[Second], seconds: float) -> Snapshot:
        number = len(recent) or 1
        return Snapshot(
            seconds=seconds,
            requests=self._plan.requests,
            done=books.requests_served,
            in_flight=books.batch_in_flight,
            deferred=self._rescheduled.count,
            batch_refused=books.batch_refused,
            interactive=sum(second.interactive for second in recent) / number,
            batch=sum(second.batch for second in recent) / number,
            interactive_calls=books.interactive_served,
            interactive_refused=books.interactive_refused,
            belief=line(self._beliefs.latest),
        )

    @contextlib.asynccontextmanager
    async def _usage_events(self) -> AsyncIterator[UsageSender | None]:
        if not self._plan.usage_events:
            yield None
            return
        producer = EventHubProducerClient.from_connection_string(
            self._system.settings["EVENT_HUBS"], eventhub_name=USAGE
        )
        async with UsageSender(producer) as usage:
            yield usage
        self._view.say(f"{usage.sent} usage events were sent")

    @contextlib.asynccontextmanager
    async def _interactive_traffic(
        self, usage: UsageSender | None
    ) -> AsyncIterator[InteractiveTraffic]:
        traffic = InteractiveTraffic(
            session=self._session,
            url=self._system.ptu_url,
            deployment=self._system.options.deployments[0].name,
            key=OPENAI_KEY,
            calls=read_slice(start=SLICE_START_SECONDS, seconds=SLICE_SECONDS),
            seconds=SLICE_SECONDS,
            usage=usage,
        )
        playing = asyncio.create_task(traffic.run())
        try:
            yield traffic
            if playing.done():
                playing.result()  # it only ends by an error
        finally:
            await end(playing, log=_log)


def _by_id(ids: Sequence[str], results: dict[str, Result]) -> dict[str, Result]:
    return {one: results.get(one, Result(one, "never read")) for one in ids}
