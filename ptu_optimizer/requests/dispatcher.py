"""The dispatcher: a delivered batch of one partition in, every event dealt with, a report out.

For each event it asks admission and then dispatches, waits a little, re-schedules or expires. What
one event does never takes its neighbours along; what cannot be kept safe raises at the end, so that
the trigger's retry policy brings the batch again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ptu_optimizer.capacity.work import Model
from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.telemetry import logger

from .attempt import Attempts, Next, Released
from .deferral import PublishedMemory, Rescheduler
from .deliveries import DeliveredEvent, Delivery, Report
from .events import (
    REQUESTS_LATER,
    REQUESTS_SOON,
    NudgeEvent,
    RequestEvent,
    ResultEvent,
    UndecodableEvent,
    decode,
)
from .exchange import ReadingExchange
from .gate import Patience, Permit
from .ids import ForgedId, GroupId, IdMint, slice_of_request
from .inputs import InputMissing, Inputs
from .lane import Lane, LaneCall
from .ledger import Claim, Ended, Kind, Later, Ours, Sighting, Slot, new_token, next_step
from .model import JsonObject
from .outcomes import DEADLINE_EXCEEDED, Concluded, OutcomeHasNoPlace, OutcomeWriter
from .ports import Publisher, PublishFailed, Success
from .records import Ledger
from .timing import Timing
from .tokens import TokenEstimator, work_of_length

_log = logger("dispatcher")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Invocation:
    delivery: Delivery
    report: Report
    rescheduler: Rescheduler
    until: float
    """Monotonic: after this no new work is started."""


class Dispatcher:
    def __init__(
        self,
        *,
        mint: IdMint,
        lanes: Mapping[str, Lane],
        attempts: Attempts,
        outcomes: OutcomeWriter,
        ledger: Ledger,
        inputs: Inputs,
        estimator: TokenEstimator,
        publisher: Publisher,
        memory: PublishedMemory,
        exchange: ReadingExchange,
        clock: Clock,
        timing: Timing,
        worker: str,
    ) -> None:
        self._mint = mint
        self._lanes = lanes
        self._attempts = attempts
        self._outcomes = outcomes
        self._ledger = ledger
        self._inputs = inputs
        self._estimator = estimator
        self._publisher = publisher
        self._memory = memory
        self._exchange = exchange
        self._clock = clock
        self._timing = timing
        self._worker = worker

    async def dispatch(self, delivery: Delivery) -> Report:
        """Deal with every event of a batch.

        Raises OutcomeHasNoPlace or PublishFailed when an outcome, or a re-scheduled copy, found no
        place in its budget: the batch must then be delivered again.
        """
        invocation = _Invocation(
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
        async with self._exchange.active():
            requests = await self._results_first(invocation)
            failed = [
                failure
                for failure in await asyncio.gather(
                    *(self._guarded(event, at, invocation) for event, at in requests)
                )
                if failure is not None
            ]
            await invocation.rescheduler.flushed()
        if failed:
            raise failed[0]
        if delivery.events:
            invocation.report.positions.append(delivery.position(now=self._clock.now()))
        return invocation.report

    async def _results_first(
        self, invocation: _Invocation
    ) -> list[tuple[RequestEvent, DeliveredEvent]]:
        """Decode, and write result events before any take-over behind them can be decided (5)."""
        requests: list[tuple[RequestEvent, DeliveredEvent]] = []
        results: list[ResultEvent] = []
        for delivered in invocation.delivery.events:
            try:
                event = decode(delivered.raw)
                if isinstance(event, NudgeEvent):
                    continue
                group = self._mint.parse_request(event.request_id).group
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
                requests.append((event, delivered))
        duplicates = await asyncio.gather(*map(self._outcomes.deliver, results))
        invocation.report.annotations.extend(filter(None, duplicates))
        return _newest_copies(requests)

    def _put_aside(self, delivered: DeliveredEvent, reason: str, invocation: _Invocation) -> None:
        delivery = invocation.delivery
        _log.warning(
            "an event is put aside as a dead letter",
            extra={"hub": delivery.hub, "sequence_number": delivered.sequence_number},
        )
        record = delivery.dead_letter(delivered, reason, now=self._clock.now())
        invocation.report.dead_letters.append(record)

    async def _guarded(
        self, event: RequestEvent, delivered: DeliveredEvent, invocation: _Invocation
    ) -> Exception | None:
        """One event; an exception that must keep the batch is returned, any other re-schedules."""
        try:
            await self._handle(event, delivered, invocation)
        except (OutcomeHasNoPlace, PublishFailed, DependencyUnavailable) as error:
            return error
        except Exception:
            _log.exception("an event failed unexpectedly", extra={"request": event.request_id})
            self._reschedule(event, invocation, slot=event.slot, why="an internal error")
        return None

    async def _handle(
        self, event: RequestEvent, delivered: DeliveredEvent, invocation: _Invocation
    ) -> None:
        if self._memory.is_stale(event):
            return
        group = self._mint.parse_request(event.request_id).group
        due = event.not_before or 0.0
        why = "re-scheduled"
        step: Next | Ended = Claim(1, 0)
        if event.slot > 1 or self._clock.now() >= event.deadline:
            # 10: not due, so held before its ledger is read, lest it circle the hub
            if not await self._is_due(event, min(due, event.deadline), invocation):
                self._reschedule(event, invocation, slot=event.slot, due=due, why=why)
                return
            step = await self._read(event, delivered, invocation)
        while True:
            match step:
                case Concluded(duplicate=duplicate):
                    if duplicate is not None:
                        invocation.report.annotations.append(duplicate)
                    return
                case Ended():
                    return
                case Later():
                    await self._is_due(event, step.not_before, invocation)
                    self._reschedule(
                        event, invocation, slot=step.n, due=step.not_before, why=step.why
                    )
                    return
                case Released():
                    claim, due, why = Claim(step.n, step.failures), step.not_before, step.why
                case Claim():
                    claim = step
            carried = _carried(claim)
            if self._clock.now() >= event.deadline:
                step = await self._expire(event, claim, group)
                continue
            if not await self._is_due(event, due, invocation):
                self._reschedule(event, invocation, slot=carried, due=due, why=why)
                return
            lane = self._lanes.get(event.deployment)
            if lane is None:
                why = f"deployment {event.deployment} is not in DEPLOYMENTS"
                await self._clock.sleep(min(self._timing.hold, self._left(invocation)))
                self._reschedule(event, invocation, slot=carried, why=why)
                return
            passed = await lane.gate.enter(
                work=self._work(event, lane.model),
                patience=Patience(hold_seconds=self._timing.hold, until=invocation.until),
                overtakes=invocation.delivery.hub == REQUESTS_SOON,
            )
            if isinstance(passed, str):
                self._reschedule(event, invocation, slot=carried, why=passed)
                return
            if self._clock.now() >= event.deadline:
                passed.end()
                continue  # it waited too long: expires above
            step = await self._attempt(event, delivered, invocation, claim, group, lane, passed)

    async def _attempt(
        self,
        event: RequestEvent,
        delivered: DeliveredEvent,
        invocation: _Invocation,
        claim: Claim,
        group: GroupId,
        lane: Lane,
        permit: Permit,
    ) -> Next:
        call = LaneCall(permit=permit, lane=lane, worker=self._worker, deployment=event.deployment)
        try:
            try:
                body = await self._inputs.body(event, group)
            except DependencyUnavailable as error:
                # nothing is claimed yet, so this event can wait elsewhere and hold up no other
                why = f"its input cannot be read now ({error.reason})"
                return Later(_carried(claim), self._clock.now(), why)
            step = await self._attempts.run(
                event,
                body,
                claim=claim,
                seen=self._sighting(delivered, invocation),
                ends_at=group.ends_at,
                observer=call,
            )
            if isinstance(call.result, Success) and call.result.usage is not None:
                self._estimator.learn(body, deployment=event.deployment, usage=call.result.usage)
            return step
        except InputMissing as error:
            return await self._fail(event, claim, group, str(error))
        finally:
            permit.end()

    async def _read(
        self, event: RequestEvent, delivered: DeliveredEvent, invocation: _Invocation
    ) -> Next | Ended:
        """An event that carries n > 1 follows the ledger, not its memory of it (6)."""
        until = self._clock.monotonic() + self._timing.write_budget / 2
        try:
            records = await self._ledger.read(event.request_id, until=until)
        except DependencyUnavailable:
            return Later(event.slot, self._clock.now(), "its ledger cannot be read now")
        step = next_step(
            records.slots,
            n=event.slot,
            token="",
            refused=False,
            seen=self._sighting(delivered, invocation),
        )
        if isinstance(step, Ours):
            raise AssertionError("no record bears an empty token")
        return step

    async def _is_due(self, event: RequestEvent, due: float, invocation: _Invocation) -> bool:
        """Wait for its time if that is near; else hold it a while, lest it circle the hub."""
        wait = due - self._clock.now()
        if wait <= 0:
            return True
        left = self._left(invocation)
        if wait <= min(self._timing.hold, left):
            await self._clock.sleep(wait)
            return True
        await self._clock.sleep(min(self._timing.deferral_interval(event.deferrals), left))
        return False

    async def _expire(self, event: RequestEvent, claim: Claim, group: GroupId) -> Next:
        return await self._end(event, claim, group, Kind.EXPIRED, DEADLINE_EXCEEDED)

    async def _fail(self, event: RequestEvent, claim: Claim, group: GroupId, why: str) -> Next:
        error = {
            "message": f"The input cannot be read: {why}.",
            "type": "server_error",
            "param": None,
            "code": "input_missing",
        }
        return await self._end(event, claim, group, Kind.FAILED, error)

    async def _end(
        self, event: RequestEvent, claim: Claim, group: GroupId, kind: Kind, error: JsonObject
    ) -> Next:
        outcome = Slot(
            request_id=event.request_id,
            n=claim.n,
            kind=kind,
            claim_token=new_token(),
            at=self._clock.now(),
            failures=claim.failures,
            details={"custom_id": event.custom_id, "metadata": event.metadata, "error": error},
        )
        until = self._clock.monotonic() + self._timing.write_budget
        return await self._outcomes.end(outcome, ends_at=group.ends_at, until=until)

    def _reschedule(
        self,
        event: RequestEvent,
        invocation: _Invocation,
        *,
        slot: int,
        why: str,
        due: float = 0.0,
    ) -> None:
        now = self._clock.now()
        not_before = max(due, now + self._timing.deferral_interval(event.deferrals))
        copy = event.rescheduled(slot=slot, not_before=not_before)
        invocation.rescheduler.add(copy)
        group = self._mint.parse_request(event.request_id).group
        invocation.report.annotations.append(
            {
                "id": f"{event.request_id}:deferral",
                "slice": slice_of_request(event.request_id),
                "request_id": event.request_id,
                "type": "deferral",
                "deferrals": copy.deferrals,
                "at": now,
                "not_before": not_before,
                "why": why,
                "ttl": max(1, int(group.ends_at - now)),
            }
        )

    def _work(self, event: RequestEvent, model: Model) -> float:
        if event.body is not None:
            return self._estimator.reserved_work(
                event.body, deployment=event.deployment, model=model
            )
        return work_of_length(event.blob.length if event.blob else 0, model=model)

    def _left(self, invocation: _Invocation) -> float:
        return max(0.0, invocation.until - self._clock.monotonic())

    def _sighting(self, delivered: DeliveredEvent, invocation: _Invocation) -> Sighting:
        return Sighting(
            now=self._clock.now(),
            skew=self._timing.skew,
            on_later=invocation.delivery.hub == REQUESTS_LATER,
            enqueued_at=delivered.enqueued_at,
        )


def _carried(claim: Claim) -> int:
    """1: a slot whose predecessor was not seen released is not carried by an event."""
    return claim.n - 1 if claim.takes_over else claim.n


def _newest_copies(
    requests: Sequence[tuple[RequestEvent, DeliveredEvent]],
) -> list[tuple[RequestEvent, DeliveredEvent]]:
    """Copies of a request that meet in a batch become one (10): the newest speaks for all."""
    newest: dict[str, tuple[RequestEvent, DeliveredEvent]] = {}
    for event, delivered in requests:
        known = newest.get(event.request_id)
        if known is None or _age(event, delivered) >= _age(*known):
            newest[event.request_id] = (event, delivered)
    return list(newest.values())


def _age(event: RequestEvent, delivered: DeliveredEvent) -> tuple[int, int, float]:
    return event.deferrals, event.slot, delivered.enqueued_at
