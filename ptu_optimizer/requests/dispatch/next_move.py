"""What is done next with a delivered request. Pure; the handler applies it.

A request has a standing: the slot that it may claim, the time before which it may not, and why it
has waited. Each step changes its standing, and its standing decides its next move.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ptu_optimizer.admission.gate import NotAdmitted
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.ledger.outcomes import Concluded
from ptu_optimizer.requests.ledger.rules import Claim, Ended, Later
from ptu_optimizer.requests.ledger.timing import Timing

from .attempt import Next, Released
from .route import Route


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What is known of a request in this delivery. Times are epoch seconds."""

    claim: Claim | None
    """The slot that it may claim; None until its ledger was read."""
    due: float = 0.0
    """It is not attempted before."""
    why: str = ""
    """Why it has waited so far, if that is known."""


@dataclass(frozen=True, slots=True)
class Done:
    """It has its outcome. `annotation` says that this one came second."""

    annotation: JsonObject | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reschedule:
    """Publish a copy for later that carries `slot`."""

    slot: int
    why: str
    due: float = 0.0
    to_take_over: bool = False
    """It waits for the lease of an attempt, so it must go to `requests-later`."""
    after_seconds: float = 0.0
    """Hold it for this long first, so that it does not circle through the hub."""


@dataclass(frozen=True, slots=True)
class AwaitTime:
    """Its time is near: wait for it here."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ReadLedger:
    """Its event does not know which slot it may claim (6)."""


@dataclass(frozen=True, slots=True)
class Expire:
    """Its deadline has passed."""

    claim: Claim
    why: str


@dataclass(frozen=True, slots=True)
class AskGate:
    """Ask the gate of its route for a permit, and attempt it with that."""

    claim: Claim
    route: Route


Move = Reschedule | AwaitTime | ReadLedger | Expire | AskGate


def standing_of(event: RequestEvent, *, now: float) -> Standing:
    """As the event says. One that carries a later slot, or is past its deadline, reads its ledger
    before it does anything."""
    must_read = event.slot > 1 or now >= event.deadline
    return Standing(
        claim=None if must_read else Claim(1, 0),
        due=event.not_before or 0.0,
        why=event.why or "",
    )


def next_move(
    standing: Standing,
    event: RequestEvent,
    route: Route | None,
    *,
    timing: Timing,
    left: float,
    now: float,
) -> Move:
    """`route` is None if the request's deployment is not in the settings; `left` are the seconds
    in which its invocation may still start something."""
    claim = standing.claim
    # 10: one that is not due is held before its ledger is read. It may be due after its deadline,
    # when it waits for a lease
    due = standing.due if claim is None else min(standing.due, event.deadline)
    slot = event.slot if claim is None else carried(claim)
    wait = due - now
    if 0 < wait <= min(timing.hold, left):
        return AwaitTime(wait)
    if wait > 0:
        return Reschedule(
            slot=slot,
            due=standing.due,
            why=standing.why,
            after_seconds=min(timing.deferral_interval(event.deferrals), left),
        )
    if claim is None:
        return ReadLedger()
    if now >= event.deadline:
        return Expire(claim, standing.why)
    if route is None:
        return Reschedule(
            slot=slot,
            why=f"deployment {event.deployment} is not in DEPLOYMENTS",
            after_seconds=min(timing.hold, left),
        )
    return AskGate(claim, route)


def after_step(standing: Standing, step: Next | Ended) -> Standing | Reschedule | Done:
    """What a step of its ledger makes of a request."""
    match step:
        case Concluded(duplicate=duplicate):
            return Done(duplicate)
        case Ended():
            return Done()
        case Later():
            return Reschedule(
                slot=step.n, due=step.not_before, why=step.why, to_take_over=step.to_take_over
            )
        case Released():
            return Standing(claim=Claim(step.n, step.failures), due=step.not_before, why=step.why)
        case Claim():
            return replace(standing, claim=step)


def after_refusal(
    standing: Standing, claim: Claim, refusal: NotAdmitted, *, has_waited: bool
) -> Standing | Reschedule:
    """The standing of a request that its gate did not admit. `has_waited`: it waited there for
    a while."""
    # a request that did not wait there was out of time already: it keeps its earlier reason
    why = refusal.why if has_waited or not standing.why else standing.why
    if not refusal.route_is_over:
        return Reschedule(slot=carried(claim), why=why)
    # it has waited for this deployment long enough: it asks another one, or expires
    return replace(standing, why=why)


def carried(claim: Claim) -> int:
    """1: an event carries a slot only if its predecessor was seen as released."""
    return claim.n - 1 if claim.takes_over else claim.n
