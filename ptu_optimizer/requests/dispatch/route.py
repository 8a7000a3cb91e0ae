"""Which deployment a request asks now, and until when."""

from __future__ import annotations

from dataclasses import dataclass

from ptu_optimizer.admission.gated_deployment import GatedDeployment
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.urgency import STAYS, Urgency


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The way that a request takes now, and until when. Times are epoch seconds."""

    target: GatedDeployment
    leaves_at: float
    """When it leaves its own deployment for spillover; infinite if it does not."""
    deadline: float
    spilled_over: str | None = None
    """Why it has left, if it has."""

    @property
    def until(self) -> float:
        """How long it may wait for this deployment."""
        return self.deadline if self.spilled_over else min(self.leaves_at, self.deadline)

    def pause(self, seconds: float, *, at_least: float = 0.0, now: float) -> float:
        """How long it waits before it is tried again, if this many seconds are wanted and its
        deployment asks for `at_least` so many.

        Never past the time to leave: then it asks another deployment. Once it has left, a pause
        of our own takes no more than a quarter of what is left, so that it is tried again.
        """
        if self.spilled_over:
            return max(at_least, min(seconds, max(0.0, self.deadline - now) / 4))
        return min(max(seconds, at_least), max(0.0, self.leaves_at - now))


def route_of(
    event: RequestEvent,
    target: GatedDeployment,
    *,
    urgency: Urgency,
    created_at: float,
    why: str,
    now: float,
) -> Route:
    """Its own deployment; near its deadline the one to spill over to, if it may.

    `created_at` is when its group was, `why` it has waited so far, if that is known.
    """
    if target.spillover is None:
        return Route(target=target, leaves_at=STAYS, deadline=event.deadline)
    leaves_at = urgency.leaves_at(event, created_at=created_at)
    if now < leaves_at:
        return Route(target=target, leaves_at=leaves_at, deadline=event.deadline)
    spilled_over = f"its deadline was {max(0.0, event.deadline - now):.0f} s away"
    if why:
        spilled_over += f"; why it waited last: {why}"
    return Route(
        target=target.spillover,
        leaves_at=leaves_at,
        deadline=event.deadline,
        spilled_over=spilled_over,
    )
