"""One delivered request on its way: due, admitted, attempted; or re-scheduled, or expired.

What one request does never takes its neighbours along: whatever is raised here concerns it alone,
and the dispatcher decides what that means for its batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable

from .attempt import Attempts, Next, Released
from .deferral import PublishedMemory, deferral
from .events import REQUESTS_LATER, REQUESTS_SOON
from .flow_reports import FlowReports, Passing
from .in_hand import InHand
from .inputs import InputMissing, Inputs
from .lane import Lane, Route, route_of
from .lane_call import LaneCall
from .ledger import Claim, Ended, Kind, Later, Ours, head, next_step
from .model import JsonObject, Spillover
from .outcome_details import input_missing
from .outcomes import Concluded, OutcomeWriter, unpaid
from .patience import Patience
from .permits import Permit
from .ports import Success
from .progress import FULL_BATCH_EVENTS
from .records import Ledger
from .timing import Timing
from .tokens import TokenEstimator, prefix_of, work_of_length
from .urgency import STAYS, Urgency
from .waiting import QUEUED_WHY, deadline_exceeded, reason

CLOCK_GRAIN_SECONDS = 0.05
"""A wait is measured in monotonic time and its end in wall time: by so much they may differ."""


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
        urgency: Urgency,
        flows: FlowReports,
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
        self._urgency = urgency
        self._flows = flows
        self._worker = worker

    async def handle(self, request: InHand) -> None:
        """Bring it to its outcome, or publish it again for later.

        Raises OutcomeHasNoPlace, PublishFailed or DependencyUnavailable when its batch must come
        again.
        """
        event = request.event
        if self._memory.is_stale(event):
            return
        with self._flows.in_hand(request) as passing:
            await self._bring_on(request, passing)

    async def _bring_on(self, request: InHand, passing: Passing) -> None:
        event = request.event
        due = event.not_before or 0.0
        why = event.why or ""
        step: Next | Ended = Claim(1, 0)
        if event.slot > 1 or self._clock.now() >= event.deadline:
            # 10: not due, so held before its ledger is read, lest it circle the hub; also after its
            # deadline, when it waits for a lease
            if not await self._is_due(request, due):
                self.reschedule(request, slot=event.slot, due=due, why=why)
                return
            step, last = await self._read(request)
            why = last or why
        while True:
            match step:
                case Concluded(duplicate=duplicate):
                    if duplicate is not None:
                        request.invocation.report.annotations.append(duplicate)
                    return
                case Ended():
                    return
                case Later():
                    self.reschedule(
                        request,
                        slot=step.n,
                        due=step.not_before,
                        why=step.why,
                        to_take_over=step.to_take_over,
                    )
                    return
                case Released():
                    request.invocation.progress.waits_again(event.request_id)
                    claim, due, why = Claim(step.n, step.failures), step.not_before, step.why
                case Claim():
                    claim = step
            step, carried = claim, _carried(claim)
            if not await self._is_due(request, min(due, event.deadline)):
                self.reschedule(request, slot=carried, due=due, why=why)
                return
            if self._clock.now() >= event.deadline:
                step = await self._expire(request, claim, why)
                continue
            route = self._route(request, why)
            if route is None:
                why = f"deployment {event.deployment} is not in DEPLOYMENTS"
                await self._clock.sleep(min(self._timing.hold, self._left(request)))
                self.reschedule(request, slot=carried, why=why)
                return
            came = self._clock.monotonic()
            passed = await self._enter(request, route)
            if not route.spilled_over:
                passing.left(started=not isinstance(passed, str))
            if isinstance(passed, str):
                if not why or self._clock.monotonic() > came:
                    why = passed  # else it was out of time already: what it waited for stands
                if self._clock.now() < route.until - CLOCK_GRAIN_SECONDS:
                    self.reschedule(request, slot=carried, why=why)
                    return
                # it has waited for this deployment long enough: another one, or it expires above
                await self._clock.sleep(CLOCK_GRAIN_SECONDS)
            elif self._clock.now() >= event.deadline:
                passed.end()
            else:
                step = await self._attempt(request, claim, route, passed)

    def reschedule(
        self,
        request: InHand,
        *,
        slot: int,
        why: str,
        due: float = 0.0,
        to_take_over: bool = False,
    ) -> None:
        """Publish a copy for later, with an annotation that says why."""
        event, now = request.event, self._clock.now()
        why = why or "re-scheduled"
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
            if not to_take_over and route.leaves_at - now < self._urgency.soon:
                # it must not miss its time behind a crowd that is not due
                hub = REQUESTS_SOON
        not_before = max(due, now + pause)
        copy = event.rescheduled(slot=slot, not_before=not_before, why=why)
        request.invocation.rescheduler.add(copy, hub=hub)
        request.invocation.report.annotations.append(
            deferral(copy, hub=hub, leaves_at=leaves_at, at=now, ends_at=request.group.ends_at)
        )

    # --- its ledger -------------------------------------------------------------------------------

    async def _read(self, request: InHand) -> tuple[Next | Ended, str]:
        """An event that carries n > 1 follows the ledger, not its memory of it (6). Also why it
        has waited so far, as far as that is known."""
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

    async def _expire(self, request: InHand, claim: Claim, why: str) -> Next:
        event, spillover = request.event, None
        if event.spillover is not Spillover.NEVER:
            lane = self._lanes.get(event.deployment)
            spillover = (
                f"{lane.spillover.deployment} could not take it in time"
                if lane is not None and lane.spillover is not None
                else f"deployment {event.deployment} has no target for it any more"
            )
        error = deadline_exceeded(why=why or QUEUED_WHY, attempted=claim.n > 1, spillover=spillover)
        return await self._end(request, claim, Kind.EXPIRED, error)

    async def _fail(self, request: InHand, claim: Claim, why: str) -> Next:
        return await self._end(request, claim, Kind.FAILED, input_missing(why))

    async def _end(self, request: InHand, claim: Claim, kind: Kind, error: JsonObject) -> Next:
        outcome = unpaid(request.event, claim, kind, error, at=self._clock.now())
        until = self._clock.monotonic() + self._timing.write_budget
        return await self._outcomes.end(outcome, ends_at=request.group.ends_at, until=until)

    # --- its call ---------------------------------------------------------------------------------

    def _route(self, request: InHand, why: str) -> Route | None:
        """None if its deployment is not there."""
        lane = self._lanes.get(request.event.deployment)
        if lane is None:
            return None
        return route_of(
            request.event,
            lane,
            urgency=self._urgency,
            created_at=request.group.created_at,
            why=why,
            now=self._clock.now(),
        )

    async def _enter(self, request: InHand, route: Route) -> Permit | str:
        """A permit, or why there was none while its route lasted."""
        event, gate = request.event, route.lane.gate
        now = self._clock.now()
        left = route.until - now
        try:
            async with asyncio.timeout(left):
                return await gate.enter(
                    work=self._work(request, route.lane),
                    patience=Patience(
                        # with nowhere else to go, nothing is won by coming back later
                        hold_seconds=left if route.spilled_over else self._timing.hold,
                        until=request.invocation.until,
                        turn_seconds=self._timing.turn_wait,
                    ),
                    hub=request.hub,
                    priority=event.priority.value,
                    overtakes=self._urgency.overtakes(event, hub=request.hub, now=now),
                    prefix=prefix_of(event.body),
                    more_behind=len(request.invocation.delivery.events) >= FULL_BATCH_EVENTS,
                )
        except TimeoutError:
            return gate.verdict(hub=request.hub).why

    async def _attempt(self, request: InHand, claim: Claim, route: Route, permit: Permit) -> Next:
        call = LaneCall(permit=permit, route=route, worker=self._worker)
        try:
            try:
                body = await self._inputs.body(request.event, request.group)
            except DependencyUnavailable as error:
                # nothing is claimed yet, so this event can wait elsewhere and hold up no other
                why = f"its input cannot be read now ({error.reason})"
                return Later(_carried(claim), self._clock.now(), why)
            step = await self._attempts.run(request, body, claim=claim, call=call)
            if isinstance(call.result, Success) and call.result.usage is not None:
                self._estimator.learn(
                    body, deployment=route.lane.deployment, usage=call.result.usage
                )
            return step
        except InputMissing as error:
            return await self._fail(request, claim, str(error))
        finally:
            permit.end()

    def _work(self, request: InHand, lane: Lane) -> float:
        event = request.event
        if event.body is not None:
            return self._estimator.reserved_work(
                event.body, deployment=lane.deployment, model=lane.model
            )
        return work_of_length(event.blob.length if event.blob else 0, model=lane.model)

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


def _carried(claim: Claim) -> int:
    """1: a slot whose predecessor was not seen released is not carried by an event."""
    return claim.n - 1 if claim.takes_over else claim.n
