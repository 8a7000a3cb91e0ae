"""One delivered request on its way: due, admitted, attempted; or re-scheduled, or expired.

A failure of one request never affects the others: an exception that is raised here concerns
this request alone, and the dispatcher decides what it means for the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ptu_optimizer.admission.call import GatedCalls
from ptu_optimizer.admission.gate import CallAsk, NotAdmitted
from ptu_optimizer.admission.gated_deployment import GatedDeployment
from ptu_optimizer.admission.permits import Permit
from ptu_optimizer.admission.wait_limits import WaitLimits
from ptu_optimizer.backends.tokens import TokenEstimator, prefix_of, work_of_length
from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS_LATER, REQUESTS_SOON
from ptu_optimizer.requests.bodies import Bodies, InputMissing
from ptu_optimizer.requests.item import Spillover
from ptu_optimizer.requests.ledger.annotations import Deferral
from ptu_optimizer.requests.ledger.ledger import Ledger
from ptu_optimizer.requests.ledger.outcome_errors import deadline_exceeded, input_missing
from ptu_optimizer.requests.ledger.outcomes import OutcomeWriter, unpaid
from ptu_optimizer.requests.ledger.rules import Claim, Ended, Later, Ours, next_step
from ptu_optimizer.requests.ledger.slots import SlotKind, head
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.status.flow_reports import FlowReports, Passing, place_of
from ptu_optimizer.requests.status.wait_reason import QUEUED_WHY, reason
from ptu_optimizer.requests.urgency import STAYS, Urgency

from .attempt import Attempts, Next, Released
from .delivered_request import DeliveredRequest
from .delivery_progress import FULL_BATCH_EVENTS
from .next_move import (
    AskGate,
    AwaitTime,
    Done,
    Expire,
    ReadLedger,
    Reschedule,
    Standing,
    after_refusal,
    after_step,
    carried,
    next_move,
    standing_of,
)
from .rescheduling import PublishedMemory
from .route import Route, route_of


class RequestHandler:
    def __init__(
        self,
        *,
        targets: Mapping[str, GatedDeployment],
        calls: GatedCalls,
        attempts: Attempts,
        outcomes: OutcomeWriter,
        ledger: Ledger,
        bodies: Bodies,
        estimator: TokenEstimator,
        memory: PublishedMemory,
        clock: Clock,
        timing: Timing,
        urgency: Urgency,
        flows: FlowReports,
    ) -> None:
        self._targets = targets
        self._calls = calls
        self._attempts = attempts
        self._outcomes = outcomes
        self._ledger = ledger
        self._bodies = bodies
        self._estimator = estimator
        self._memory = memory
        self._clock = clock
        self._timing = timing
        self._urgency = urgency
        self._flows = flows

    async def handle(self, request: DeliveredRequest) -> None:
        """Bring it to its outcome, or publish it again for later.

        Raises OutcomeHasNoPlace, PublishFailed or DependencyUnavailable when its batch must come
        again.
        """
        event = request.event
        if self._memory.is_stale(event):
            return
        with self._flows.in_hand(deployment=event.deployment, hub=request.hub) as passing:
            standing: Standing | Reschedule | Done = standing_of(event, now=self._clock.now())
            while isinstance(standing, Standing):
                standing = await self._move(request, standing, passing)
            if isinstance(standing, Reschedule):
                await self._clock.sleep(standing.after_seconds)
                self.reschedule(request, standing)
            elif standing.annotation is not None:
                request.invocation.report.annotations.append(standing.annotation)

    async def _move(
        self, request: DeliveredRequest, standing: Standing, passing: Passing
    ) -> Standing | Reschedule | Done:
        """Make one move. Returns the request's standing after it."""
        move = next_move(
            standing,
            request.event,
            self._route(request, standing.why),
            timing=self._timing,
            left=max(0.0, request.invocation.until - self._clock.monotonic()),
            now=self._clock.now(),
        )
        match move:
            case Reschedule():
                return move
            case AwaitTime(seconds):
                await self._clock.sleep(seconds)
                return standing
            case ReadLedger():
                step, last = await self._read(request)
                return after_step(replace(standing, why=last or standing.why), step)
            case Expire(claim, why):
                return after_step(standing, await self._expire(request, claim, why))
            case AskGate(claim, route):
                return await self._ask_gate(request, standing, claim, route, passing)

    async def _ask_gate(
        self,
        request: DeliveredRequest,
        standing: Standing,
        claim: Claim,
        route: Route,
        passing: Passing,
    ) -> Standing | Reschedule | Done:
        came = self._clock.monotonic()
        passed = await route.target.gate.enter(self._call_ask(request, route))
        admitted = isinstance(passed, Permit)
        if not route.spilled_over:
            passing.left(
                place_of(request.group, request.event.request_id),
                enqueued_at=request.delivered.enqueued_at,
                started=admitted,
            )
        if isinstance(passed, NotAdmitted):
            has_waited = self._clock.monotonic() > came
            return after_refusal(standing, claim, passed, has_waited=has_waited)
        if self._clock.now() >= request.event.deadline:
            passed.end()
            return replace(standing, claim=claim)
        step = await self._attempt(request, claim, route, passed)
        if isinstance(step, Released):
            request.invocation.progress.waits_again(request.event.request_id)
        return after_step(standing, step)

    def reschedule(self, request: DeliveredRequest, move: Reschedule) -> None:
        """Publish a copy for later, with an annotation that says why."""
        event, now = request.event, self._clock.now()
        why = move.why or "re-scheduled"
        pause = self._timing.deferral_interval(event.deferrals)
        if now < event.deadline:
            pause = min(pause, event.deadline - now)  # it expires in time
        hub, leaves_at = REQUESTS_LATER, None
        route = self._route(request, why)
        if route is not None and route.leaves_at != STAYS:
            leaves_at = route.leaves_at
            pause = route.pause(pause, now=now)
            if route.spilled_over:
                pause = max(self._timing.first_deferral, pause)
            if not move.to_take_over and route.leaves_at - now < self._urgency.soon:
                # it must not miss its time behind many that are not due
                hub = REQUESTS_SOON
        not_before = max(move.due, now + pause)
        copy = event.rescheduled(slot=move.slot, not_before=not_before, why=why)
        request.invocation.rescheduler.add(copy, hub=hub)
        request.invocation.report.annotations.append(
            Deferral.of(copy, hub=hub, leaves_at=leaves_at, at=now).record(
                ends_at=request.group.ends_at
            )
        )

    # --- its ledger -------------------------------------------------------------------------------

    async def _read(self, request: DeliveredRequest) -> tuple[Next | Ended, str]:
        """An event that carries n > 1 follows the ledger, not its own state (6). Also returns
        why it has waited so far, if that is known."""
        event = request.event
        until = self._clock.monotonic() + self._timing.write_budget / 2
        try:
            records = await self._ledger.read(event.request_id, until=until)
        except DependencyUnavailable:
            return Later(event.slot, self._clock.now(), "its ledger cannot be read now"), ""
        seen = request.sighting(now=self._clock.now(), skew=self._timing.skew)
        step = next_step(records.slots, n=event.slot, token="", refused=False, seen=seen)
        if isinstance(step, Ours):
            raise AssertionError("no record bears an empty token")
        top = head(records.slots)
        return step, "" if top is None else reason(top, records.deferral)[0]

    async def _expire(self, request: DeliveredRequest, claim: Claim, why: str) -> Next:
        event, spillover = request.event, None
        if event.spillover is not Spillover.NEVER:
            target = self._targets.get(event.deployment)
            spillover = (
                f"{target.spillover.deployment} could not take it in time"
                if target is not None and target.spillover is not None
                else f"deployment {event.deployment} has no target for it any more"
            )
        error = deadline_exceeded(why=why or QUEUED_WHY, attempted=claim.n > 1, spillover=spillover)
        return await self._end(request, claim, SlotKind.EXPIRED, error)

    async def _fail(self, request: DeliveredRequest, claim: Claim, why: str) -> Next:
        return await self._end(request, claim, SlotKind.FAILED, input_missing(why))

    async def _end(
        self, request: DeliveredRequest, claim: Claim, kind: SlotKind, error: JsonObject
    ) -> Next:
        outcome = unpaid(request.event, claim, kind, error, at=self._clock.now())
        until = self._clock.monotonic() + self._timing.write_budget
        return await self._outcomes.end(outcome, ends_at=request.group.ends_at, until=until)

    # --- its call ---------------------------------------------------------------------------------

    def _route(self, request: DeliveredRequest, why: str) -> Route | None:
        """None if its deployment is not there."""
        target = self._targets.get(request.event.deployment)
        if target is None:
            return None
        return route_of(
            request.event,
            target,
            urgency=self._urgency,
            created_at=request.group.created_at,
            why=why,
            now=self._clock.now(),
        )

    def _call_ask(self, request: DeliveredRequest, route: Route) -> CallAsk:
        event, now = request.event, self._clock.now()
        left = route.until - now
        return CallAsk(
            work=self._work(request, route.target),
            limits=WaitLimits(
                # it has no other deployment, so coming back later would gain nothing
                hold_seconds=left if route.spilled_over else self._timing.hold,
                until=request.invocation.until,
                turn_seconds=self._timing.turn_wait,
                route_seconds=left,
            ),
            hub=request.hub,
            priority=event.priority.value,
            overtakes=self._urgency.overtakes(event, hub=request.hub, now=now),
            prefix=prefix_of(event.body),
            more_behind=len(request.invocation.delivery.events) >= FULL_BATCH_EVENTS,
        )

    async def _attempt(
        self, request: DeliveredRequest, claim: Claim, route: Route, permit: Permit
    ) -> Next:
        try:
            try:
                body = await self._bodies.body(request.event, request.group)
            except DependencyUnavailable as error:
                # nothing is claimed yet, so this event can wait on another hub and not delay
                # others
                why = f"its input cannot be read now ({error.reason})"
                return Later(carried(claim), self._clock.now(), why)
            call = self._calls.of(route.target, permit)
            return await self._attempts.run(request, body, claim=claim, route=route, call=call)
        except InputMissing as error:
            return await self._fail(request, claim, str(error))
        finally:
            permit.end()

    def _work(self, request: DeliveredRequest, target: GatedDeployment) -> float:
        event = request.event
        if event.body is not None:
            return self._estimator.reserved_work(
                event.body, deployment=target.deployment, model=target.model
            )
        return work_of_length(event.blob.length if event.blob else 0, model=target.model)
