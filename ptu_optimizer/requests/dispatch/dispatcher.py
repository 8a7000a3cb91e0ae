"""The dispatcher: a delivered batch of one partition in, every event dealt with, a report out.

It decodes, writes result events first, and hands every request to its handler. A failure of one
event never affects the others of its batch. If something could not be stored, the dispatcher
raises at the end, so that the trigger's retry policy delivers the batch again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from ptu_optimizer.backends.tokens import TokenEstimator
from ptu_optimizer.background import ends_this_task
from ptu_optimizer.clock import Clock
from ptu_optimizer.coordination.exchange import CapacityExchange
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import DeliveredEvent, Delivery, Publisher, PublishFailed
from ptu_optimizer.requests.envelope import NudgeEvent, UndecodableEvent
from ptu_optimizer.requests.groups import Position
from ptu_optimizer.requests.id_keys import Ids
from ptu_optimizer.requests.ids import ForgedId
from ptu_optimizer.requests.ledger.outcomes import OutcomeHasNoPlace, OutcomeWriter
from ptu_optimizer.requests.ledger.result_event import ResultEvent
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.status.flow_reports import FlowReports
from ptu_optimizer.telemetry import logger

from .dead_letter import dead_letter
from .decoding import decode
from .delivered_request import DeliveredRequest
from .delivery_progress import FULL_BATCH_EVENTS
from .handler import RequestHandler
from .invocation import Invocation, Report
from .next_move import Reschedule
from .rescheduling import PublishedMemory, Rescheduler

_log = logger("dispatcher")

_Task = asyncio.Task[Exception | None]


class Dispatcher:
    def __init__(
        self,
        *,
        ids: Ids,
        handler: RequestHandler,
        outcomes: OutcomeWriter,
        estimator: TokenEstimator,
        publisher: Publisher,
        memory: PublishedMemory,
        exchange: CapacityExchange,
        flows: FlowReports,
        clock: Clock,
        timing: Timing,
    ) -> None:
        self._ids = ids
        self._handler = handler
        self._outcomes = outcomes
        self._estimator = estimator
        self._publisher = publisher
        self._memory = memory
        self._exchange = exchange
        self._flows = flows
        self._clock = clock
        self._timing = timing
        self._trails: set[asyncio.Task[None]] = set()
        self._late: list[JsonObject] = []
        """Annotations of calls that outlived their batch."""

    async def dispatch(self, delivery: Delivery) -> Report:
        """Deal with every event of a batch.

        Raises OutcomeHasNoPlace or PublishFailed when an outcome, or a re-scheduled copy, found no
        place in its budget, and DependencyUnavailable when it cannot be known which ids are
        genuine: the batch must then be delivered again.
        """
        invocation = Invocation(
            delivery=delivery,
            report=Report(),
            rescheduler=Rescheduler(
                publisher=self._publisher,
                memory=self._memory,
                clock=self._clock,
                timing=self._timing,
            ),
            until=self._clock.monotonic() + self._timing.invocation_budget,
        )
        await self._estimator.ready()
        async with self._exchange.active(), self._flows.active():
            requests = await self._results_first(invocation)
            tasks = [self._begin(request) for request in requests]
            try:
                if len(delivery.events) >= FULL_BATCH_EVENTS:
                    await invocation.progress.moved_on()
                elif tasks:
                    await asyncio.wait(tasks)
                await invocation.rescheduler.flushed()
            except asyncio.CancelledError:  # if the batch is given up, its requests are as well
                await _give_up(tasks)
                raise
        trailing = [task for task in tasks if not task.done()]
        if trailing:
            self._trail(invocation, trailing)
        for failure in (task.result() for task in tasks if task.done()):
            if failure is not None:
                raise failure
        report = invocation.report
        report.annotations += self._late
        self._late = []
        if delivery.events:
            report.positions.append(Position.of(delivery).record(now=self._clock.now()))
        return report

    async def settled(self) -> Report:
        """Wait for the calls that outlived their batches, and return their report. For a host
        that stops in good order. A host that does not ask loses nothing: the leases of such
        calls end, and the sweep finds their requests.
        """
        while self._trails:
            await asyncio.wait(set(self._trails))
        left = Report(annotations=self._late)
        self._late = []
        return left

    async def leave(self) -> None:
        """Give up all calls that are still under way, and give up the send lease, before a host
        ends."""
        await _give_up(self._trails)
        await self._flows.stop()
        await self._exchange.stop()

    def _begin(self, request: DeliveredRequest) -> _Task:
        progress, request_id = request.invocation.progress, request.event.request_id
        progress.begins(request_id)
        task = asyncio.create_task(self._guarded(request))
        task.add_done_callback(lambda _: progress.done(request_id))
        return task

    def _trail(self, invocation: Invocation, tasks: Sequence[_Task]) -> None:
        """Let calls go on whose batch has returned. Their annotations go into the next report."""
        trail = asyncio.create_task(self._trailing(invocation, tasks))
        self._trails.add(trail)
        trail.add_done_callback(self._trails.discard)

    async def _trailing(self, invocation: Invocation, tasks: Sequence[_Task]) -> None:
        known = len(invocation.report.annotations)
        async with self._exchange.active(), self._flows.active():
            failures = list(filter(None, await asyncio.gather(*tasks)))
            try:
                await invocation.rescheduler.flushed()
            except PublishFailed as error:
                failures.append(error)
        for failure in failures:
            # their batch is gone: the sweep finds them when their leases have ended
            _log.error("a call that outlived its batch left no outcome", exc_info=failure)
        self._late += invocation.report.annotations[known:]

    async def _results_first(self, invocation: Invocation) -> list[DeliveredRequest]:
        """Decode, and write result events before any take-over behind them can be decided (5)."""
        requests: list[DeliveredRequest] = []
        results: list[ResultEvent] = []
        for delivered in invocation.delivery.events:
            try:
                event = decode(delivered.raw)
                if isinstance(event, NudgeEvent):
                    continue
                group = (await self._ids.request(event.request_id, tenant=event.tenant)).group
                if isinstance(event, ResultEvent):
                    event.outcome()
            except (UndecodableEvent, ForgedId) as error:
                reason = f"forged id: {error}" if isinstance(error, ForgedId) else str(error)
                self._put_aside(delivered, reason, invocation)
                continue
            if self._clock.now() >= group.ends_at:
                _log.info("an event outlived its group", extra={"group": group.text})
            elif isinstance(event, ResultEvent):
                results.append(event)
            else:
                requests.append(
                    DeliveredRequest(
                        event=event, delivered=delivered, group=group, invocation=invocation
                    )
                )
        duplicates = await asyncio.gather(*map(self._outcomes.deliver, results))
        invocation.report.annotations.extend(filter(None, duplicates))
        return _newest_copies(requests)

    def _put_aside(self, delivered: DeliveredEvent, reason: str, invocation: Invocation) -> None:
        delivery = invocation.delivery
        _log.warning(
            "an event is put aside as a dead letter",
            extra={"hub": delivery.hub, "sequence_number": delivered.sequence_number},
        )
        record = dead_letter(delivery, delivered, reason, now=self._clock.now())
        invocation.report.dead_letters.append(record)

    async def _guarded(self, request: DeliveredRequest) -> Exception | None:
        """Handle one request. An exception that must bring the batch again is returned; any
        other re-schedules the request."""
        event = request.event
        try:
            await self._handler.handle(request)
        except (OutcomeHasNoPlace, PublishFailed, DependencyUnavailable) as error:
            return error
        except (Exception, asyncio.CancelledError) as error:
            if ends_this_task(error):
                raise
            _log.exception("an event failed unexpectedly", extra={"request": event.request_id})
            self._handler.reschedule(request, Reschedule(slot=event.slot, why="an internal error"))
        return None


async def _give_up(tasks: Iterable[asyncio.Task[Any]]) -> None:
    given_up = set(tasks)
    for task in given_up:
        task.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)


def _newest_copies(requests: Sequence[DeliveredRequest]) -> list[DeliveredRequest]:
    """Copies of a request that meet in a batch become one, the newest (10)."""
    newest: dict[str, DeliveredRequest] = {}
    for request in requests:
        known = newest.get(request.event.request_id)
        if known is None or _age(request) >= _age(known):
            newest[request.event.request_id] = request
    return list(newest.values())


def _age(request: DeliveredRequest) -> tuple[int, int, float]:
    return request.event.deferrals, request.event.slot, request.delivered.enqueued_at
