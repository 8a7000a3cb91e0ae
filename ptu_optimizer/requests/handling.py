"""One delivered request on its way: due, admitted, attempted; or re-scheduled, or expired.

What one request does never takes its neighbours along: whatever is raised here concerns it alone,
and the dispatcher decides what that means for its batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ptu_optimizer.capacity.work import Model
from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable

from .attempt import Attempts, Next, Released
from .deferral import PublishedMemory, Rescheduler
from .deliveries import DeliveredEvent, Delivery, Report
from .events import REQUESTS_LATER, REQUESTS_SOON, RequestEvent
from .gate import Patience, Permit
from .ids import GroupId, slice_of_request
from .inputs import InputMissing, Inputs
from .lane import Lane, LaneCall
from .ledger import Claim, Ended, Kind, Later, Ours, Sighting, Slot, new_token, next_step
from .model import JsonObject
from .outcomes import DEADLINE_EXCEEDED, Concluded, OutcomeWriter
from .ports import Success
from .records import Ledger
from .timing import Timing
from .tokens import TokenEstimator, work_of_length


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """What the events of one delivered batch share."""

    delivery: Delivery
    report: Report
    rescheduler: Rescheduler
    until: float
    """Monotonic: after this no new work is started."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InHand:
    """One delivered request in its invocation."""

    event: RequestEvent
    delivered: DeliveredEvent
    group: GroupId
    invocation: Invocation


class RequestHandler:
    def __init__(
        self,
        *,
        lanes: Mapping[str, Lane],
        attempts: Attempts,
        outcomes: OutcomeWriter,
        ledger: Ledger,
        inputs: Inputs,
        estimator: TokenEstimator,
        memory: PublishedMemory,
        clock: Clock,
        timing: Timing,
        worker: str,
    ) -> None:
        self._lanes = lanes
        self._attempts = attempts
        self._outcomes = outcomes
        self._ledger = ledger
        self._inputs = inputs
        self._estimator = estimator
        self._memory = memory
        self._clock = clock
        self._timing = timing
        self._worker = worker

    async def handle(self, request: InHand) -> None:
        """Bring it to its outcome, or publish it again for later.

        Raises OutcomeHasNoPlace, PublishFailed or DependencyUnavailable when its batch must come
        again.
        """
        event = request.event
        if self._memory.is_stale(event):
            return
        due = event.not_before or 0.0
        why = "re-scheduled"
        step: Next | Ended = Claim(1, 0)
        if event.slot > 1 or self._clock.now() >= event.deadline:
            # 10: not due, so held before its ledger is read, lest it circle the hub
            if not await self._is_due(request, min(due, event.deadline)):
                self.reschedule(request, slot=event.slot, due=due, why=why)
                return
            step = await self._read(request)
        while True:
            match step:
                case Concluded(duplicate=duplicate):
                    if duplicate is not None:
                        request.invocation.report.annotations.append(duplicate)
                    return
                case Ended():
                    return
                case Later():
                    await self._is_due(request, step.not_before)
                    self.reschedule(request, slot=step.n, due=step.not_before, why=step.why)
                    return
                case Released():
                    claim, due, why = Claim(step.n, step.failures), step.not_before, step.why
                case Claim():
                    claim = step
            carried = _carried(claim)
            if self._clock.now() >= event.deadline:
                step = await self._expire(request, claim)
                continue
            if not await self._is_due(request, due):
                self.reschedule(request, slot=carried, due=due, why=why)
                return
            lane = self._lanes.get(event.deployment)
            if lane is None:
                why = f"deployment {event.deployment} is not in DEPLOYMENTS"
                await self._clock.sleep(min(self._timing.hold, self._left(request)))
                self.reschedule(request, slot=carried, why=why)
                return
            passed = await lane.gate.enter(
                work=self._work(event, lane.model),
                patience=Patience(hold_seconds=self._timing.hold, until=request.invocation.until),
                overtakes=request.invocation.delivery.hub == REQUESTS_SOON,
            )
            if isinstance(passed, str):
                self.reschedule(request, slot=carried, why=passed)
                return
            if self._clock.now() >= event.deadline:
                passed.end()
                continue  # it waited too long: expires above
            step = await self._attempt(request, claim, lane, passed)

    def reschedule(self, request: InHand, *, slot: int, why: str, due: float = 0.0) -> None:
        """Publish a copy for later, with an annotation that says why."""
        event, now = request.event, self._clock.now()
        not_before = max(due, now + self._timing.deferral_interval(event.deferrals))
        copy = event.rescheduled(slot=slot, not_before=not_before)
        request.invocation.rescheduler.add(copy)
        request.invocation.report.annotations.append(
            {
                "id": f"{event.request_id}:deferral",
                "slice": slice_of_request(event.request_id),
                "request_id": event.request_id,
                "type": "deferral",
                "deferrals": copy.deferrals,
                "at": now,
                "not_before": not_before,
                "why": why,
                "ttl": max(1, int(request.group.ends_at - now)),
            }
        )

    # --- its ledger -------------------------------------------------------------------------------

    async def _read(self, request: InHand) -> Next | Ended:
        """An event that carries n > 1 follows the ledger, not its memory of it (6)."""
        event = request.event
        until = self._clock.monotonic() + self._timing.write_budget / 2
        try:
            records = await self._ledger.read(event.request_id, until=until)
        except DependencyUnavailable:
            return Later(event.slot, self._clock.now(), "its ledger cannot be read now")
        step = next_step(
            records.slots, n=event.slot, token="", refused=False, seen=self._sighting(request)
        )
        if isinstance(step, Ours):
            raise AssertionError("no record bears an empty token")
        return step

    async def _expire(self, request: InHand, claim: Claim) -> Next:
        return await self._end(request, claim, Kind.EXPIRED, DEADLINE_EXCEEDED)

    async def _fail(self, request: InHand, claim: Claim, why: str) -> Next:
        error = {
            "message": f"The input cannot be read: {why}.",
            "type": "server_error",
            "param": None,
            "code": "input_missing",
        }
        return await self._end(request, claim, Kind.FAILED, error)

    async def _end(self, request: InHand, claim: Claim, kind: Kind, error: JsonObject) -> Next:
        event = request.event
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
        return await self._outcomes.end(outcome, ends_at=request.group.ends_at, until=until)

    # --- its call ---------------------------------------------------------------------------------

    async def _attempt(self, request: InHand, claim: Claim, lane: Lane, permit: Permit) -> Next:
        event = request.event
        call = LaneCall(permit=permit, lane=lane, worker=self._worker, deployment=event.deployment)
        try:
            try:
                body = await self._inputs.body(event, request.group)
            except DependencyUnavailable as error:
                # nothing is claimed yet, so this event can wait elsewhere and hold up no other
                why = f"its input cannot be read now ({error.reason})"
                return Later(_carried(claim), self._clock.now(), why)
            step = await self._attempts.run(
                event,
                body,
                claim=claim,
                seen=self._sighting(request),
                ends_at=request.group.ends_at,
                observer=call,
            )
            if isinstance(call.result, Success) and call.result.usage is not None:
                self._estimator.learn(body, deployment=event.deployment, usage=call.result.usage)
            return step
        except InputMissing as error:
            return await self._fail(request, claim, str(error))
        finally:
            permit.end()

    def _work(self, event: RequestEvent, model: Model) -> float:
        if event.body is not None:
            return self._estimator.reserved_work(
                event.body, deployment=event.deployment, model=model
            )
        return work_of_length(event.blob.length if event.blob else 0, model=model)

    # --- its time ---------------------------------------------------------------------------------

    async def _is_due(self, request: InHand, due: float) -> bool:
        """Wait for its time if that is near; else hold it a while, lest it circle the hub."""
        wait = due - self._clock.now()
        if wait <= 0:
            return True
        left = self._left(request)
        if wait <= min(self._timing.hold, left):
            await self._clock.sleep(wait)
            return True
        interval = self._timing.deferral_interval(request.event.deferrals)
        await self._clock.sleep(min(interval, left))
        return False

    def _left(self, request: InHand) -> float:
        return max(0.0, request.invocation.until - self._clock.monotonic())

    def _sighting(self, request: InHand) -> Sighting:
        return Sighting(
            now=self._clock.now(),
            skew=self._timing.skew,
            on_later=request.invocation.delivery.hub == REQUESTS_LATER,
            enqueued_at=request.delivered.enqueued_at,
        )


def _carried(claim: Claim) -> int:
    """1: a slot whose predecessor was not seen released is not carried by an event."""
    return claim.n - 1 if claim.takes_over else claim.n
