"""A deployment as the dispatcher sees it, and which one a request asks now."""

from __future__ import annotations

from dataclasses import dataclass

from ptu_optimizer.admission.gated_deployment import Lane
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.urgency import STAYS, Urgency


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The way that a request takes now, and until when. Times are epoch seconds."""

    lane: Lane
    leaves_at: float
    """When it leaves the lane of its own deployment for spillover; infinite if it does not."""
    deadline: float
    spilled_over: str | None = None
    """Why it has left, if it has."""

    @property
    def until(self) -> float:
        """How long it may wait for this lane."""
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
    event: RequestEvent, lane: Lane, *, urgency: Urgency, created_at: float, why: str, now: float
) -> Route:
    """Its own deployment; near its deadline the one to spill over to, if it may.

    `created_at` is when its group was, `why` it has waited so far, if that is known.
    """
    if lane.spillover is None:
        return Route(lane=lane, leaves_at=STAYS, deadline=event.deadline)
    leaves_at = urgency.leaves_at(event, created_at=created_at)
    if now < leaves_at:
        return Route(lane=lane, leaves_at=leaves_at, deadline=event.deadline)
    spilled_over = f"its deadline was {max(0.0, event.deadline - now):.0f} s away"
    if why:
        spilled_over += f"; why it waited last: {why}"
    return Route(
        lane=lane.spillover, leaves_at=leaves_at, deadline=event.deadline, spilled_over=spilled_over
    )
