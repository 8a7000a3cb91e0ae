"""One attempt: claim a slot, call the deployment once, write what became of it.

Two creates and no read on the usual path. Numbers in comments are the rules of docs/ledger.md.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Protocol

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import (
    CallResult,
    Rejected,
    Success,
    Throttled,
    Transient,
)
from ptu_optimizer.ports.stores import Created
from ptu_optimizer.requests.ledger.ledger import Ledger
from ptu_optimizer.requests.ledger.outcome_errors import exhausted
from ptu_optimizer.requests.ledger.outcomes import Concluded, OutcomeWriter, labels, unpaid
from ptu_optimizer.requests.ledger.rules import (
    VISIBILITY_DELAY_SECONDS,
    Claim,
    Ended,
    Later,
    Ours,
    Step,
    next_step,
)
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind, new_token
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.telemetry import logger

from .delivered_request import DeliveredRequest
from .route import Route

_log = logger("attempt")


@dataclass(frozen=True, slots=True)
class Released:
    """The attempt ended without an outcome; slot n may be claimed after `not_before`."""

    n: int
    failures: int
    not_before: float
    why: str


Next = Concluded | Released | Claim | Later


class Call(Protocol):
    """Makes the call, once, and passes its result to all listeners."""

    async def __call__(
        self, body: JsonObject, *, call_id: str, timeout_seconds: float
    ) -> CallResult: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claimed:
    """An attempt whose slot is ours, and what its end depends on."""

    request: DeliveredRequest
    route: Route
    slot: Slot
    started: float
    """Monotonic, from before the create was sent: the holder's time counts from here (4)."""

    @property
    def ends_at(self) -> float:
        return self.request.group.ends_at


class Attempts:
    """Runs attempts. Holds no state of its own between them."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        outcomes: OutcomeWriter,
        clock: Clock,
        timing: Timing,
        max_failures: int,
        worker: str,
    ) -> None:
        self._ledger = ledger
        self._outcomes = outcomes
        self._clock = clock
        self._timing = timing
        self._max_failures = max_failures
        self._worker = worker

    async def run(
        self, request: DeliveredRequest, body: JsonObject, *, claim: Claim, route: Route, call: Call
    ) -> Next:
        """One attempt at slot `claim.n`. Raises PublishFailed if an outcome finds no place."""
        if claim.failures >= self._max_failures:
            return await self._give_up(request, claim)
        # 4: the holder counts from before it sends the create
        started = self._clock.monotonic()
        now = self._clock.now()
        slot = Slot(
            request_id=request.event.request_id,
            n=claim.n,
            kind=SlotKind.ATTEMPT,
            claim_token=new_token(),
            at=now,
            failures=claim.failures,
            lease_until=now + self._timing.lease,
            enqueued_at=request.delivered.enqueued_at,
            details={
                **labels(request.event),
                **whereabouts(route),
                "worker": self._worker,
            },
        )
        attempt = _Claimed(request=request, route=route, slot=slot, started=started)
        created = await self._ledger.create(
            slot, ends_at=attempt.ends_at, until=started + self._timing.write_budget
        )
        if created is not Created.CREATED:
            step = await self._look(attempt, slot, created)
            if not isinstance(step, Ours):
                return _ended_or(step)
        # 4: checked again just before calling, also after "it is ours"
        left = started + self._timing.call_limit - self._clock.monotonic()
        if left < self._timing.least_call:
            return await self._release(attempt, why="its lease was nearly over", failures=0)
        request.invocation.progress.under_way(request.event.request_id)
        result = await call(body, call_id=slot.id, timeout_seconds=left)
        return await self._conclude(attempt, result)

    async def _conclude(self, attempt: _Claimed, result: CallResult) -> Next:
        match result:
            case Success():
                return await self._outcome(
                    attempt,
                    SlotKind.SUCCEEDED,
                    response=result.response,
                    service_request_id=result.service_request_id,
                    **spilled_by_azure(result),
                )
            case Rejected():
                return await self._outcome(
                    attempt, SlotKind.FAILED, error=result.error, status=result.status
                )
            case Throttled():
                # 6: a 429 adds a slot, not a failure
                return await self._release(
                    attempt,
                    why="the deployment answered 429",
                    failures=0,
                    pause=self._pause_of_refused(attempt),
                    at_least=result.retry_after_seconds,
                )
            case Transient():
                failures = attempt.slot.failures + 1
                if failures >= self._max_failures:
                    error = exhausted(failures, result)
                    return await self._outcome(
                        attempt, SlotKind.FAILED, failures=failures, error=error
                    )
                return await self._release(
                    attempt,
                    why=result.why,
                    failures=1,
                    pause=self._timing.failure_pause(attempt.slot.failures, random.random()),
                )

    def _pause_of_refused(self, attempt: _Claimed) -> float:
        """At first the time that the service names; then longer. Otherwise a request that meets
        a full deployment for hours would fill its ledger with thousands of slots."""
        released = attempt.slot.n // 2
        return self._timing.deferral_interval(released - 1) if released else 0.0

    async def _outcome(
        self, attempt: _Claimed, kind: SlotKind, *, failures: int | None = None, **details: Any
    ) -> Concluded:
        slot = attempt.slot
        outcome = Slot(
            request_id=slot.request_id,
            n=slot.n + 1,
            kind=kind,
            claim_token=slot.claim_token,
            at=self._clock.now(),
            failures=slot.failures if failures is None else failures,
            details={
                **labels(attempt.request.event),
                **whereabouts(attempt.route),
                "called_at": slot.at,
                **{name: value for name, value in details.items() if value is not None},
            },
        )
        duplicate = await self._outcomes.write(
            outcome, ends_at=attempt.ends_at, until=self._write_until(attempt)
        )
        return Concluded(kind, duplicate)

    async def _release(
        self,
        attempt: _Claimed,
        *,
        why: str,
        failures: int,
        pause: float = 0.0,
        at_least: float = 0.0,
    ) -> Next:
        """`pause` is our own, `at_least` the one that the deployment named; the route may have
        less time left."""
        slot, now = attempt.slot, self._clock.now()
        released = Slot(
            request_id=slot.request_id,
            n=slot.n + 1,
            kind=SlotKind.RELEASED,
            claim_token=slot.claim_token,
            at=now,
            failures=slot.failures + failures,
            not_before=now + attempt.route.pause(pause, at_least=at_least, now=now),
            details={"why": why},
        )
        created = await self._ledger.create(
            released, ends_at=attempt.ends_at, until=self._write_until(attempt)
        )
        if created is not Created.CREATED:
            step = await self._look(attempt, released, created)
            if not isinstance(step, Ours):
                return _ended_or(step)
        return Released(released.n + 1, released.failures, released.not_before, why)

    def _write_until(self, attempt: _Claimed) -> float:
        """Monotonic: `lease_until - SKEW`, when its holder stops (4)."""
        return attempt.started + self._timing.call_limit + self._timing.write_budget

    async def _look(self, attempt: _Claimed, slot: Slot, created: Created) -> Step:
        """The create was refused, or its fate is not known: read the ledger, and do what it
        says."""
        until = self._clock.monotonic() + self._timing.write_budget / 2
        try:
            records = await self._ledger.read(slot.request_id, until=until)
        except DependencyUnavailable as error:
            _log.warning("the ledger cannot be read", extra={"reason": error.reason})
            why = "its ledger cannot be read now"
            not_before = self._clock.now() + VISIBILITY_DELAY_SECONDS
            # 1: nothing was seen, so the event keeps the slot that it carries
            return Later(attempt.request.event.slot, not_before, why)
        return next_step(
            records.slots,
            n=slot.n,
            token=slot.claim_token,
            refused=created is Created.REFUSED,
            seen=attempt.request.sighting(now=self._clock.now(), skew=self._timing.skew),
        )

    async def _give_up(self, request: DeliveredRequest, claim: Claim) -> Next:
        """The ledger says that attempts failed too often: the outcome is failed (6)."""
        error = exhausted(claim.failures, None)
        outcome = unpaid(request.event, claim, SlotKind.FAILED, error, at=self._clock.now())
        until = self._clock.monotonic() + self._timing.write_budget
        return await self._outcomes.end(outcome, ends_at=request.group.ends_at, until=until)


def _ended_or(step: Claim | Later | Ended | Ours) -> Next:
    match step:
        case Ended(slot):
            return Concluded(slot.kind)
        case Claim() | Later():
            return step
        case Ours():
            raise AssertionError("the caller handles its own record")


def whereabouts(route: Route) -> JsonObject:
    """The deployment that serves, and why if it is not the request's own."""
    served: JsonObject = {"deployment": route.target.deployment}
    if route.spilled_over:
        served |= {"spilled_over": True, "spilled_over_why": route.spilled_over}
    return served


def spilled_by_azure(result: Success) -> JsonObject:
    """For the books: such a call was paid for by the token."""
    if result.spilled_from is None:
        return {}
    return {
        "deployment": result.served_by or result.spilled_from,
        "spilled_over": "by Azure",
        "spilled_over_why": f"{result.spilled_from} was full, and Azure spills over from it",
    }
