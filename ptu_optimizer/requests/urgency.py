"""What a near deadline changes: a request overtakes, and it may leave for spillover. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_SOON

from .envelope import RequestEvent
from .item import Item, Priority, Spillover

STAYS = float("inf")
"""When a request leaves that may not spill over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Urgency:
    """Which deadlines are near, in seconds."""

    soon: float = 900.0
    """With this much left, or less, a request overtakes those that can wait."""
    spillover_lead: float = 60.0
    """How long before its deadline a request leaves for pay-as-you-go, if it may."""

    def first_hub(self, item: Item, *, now: float) -> str:
        """Where the first event of a request goes."""
        return REQUESTS_SOON if self._is_urgent(item, now=now) else REQUESTS

    def overtakes(self, event: RequestEvent, *, hub: str, now: float) -> bool:
        """Whether a delivered request goes before those that can wait."""
        return hub == REQUESTS_SOON or self._is_urgent(event, now=now)

    def was_soon(self, deadline: float, *, created_at: float) -> bool:
        """Whether a request was on `requests-soon` from the start, by its deadline."""
        return self._is_soon(deadline, now=created_at)

    def _is_urgent(self, request: Item | RequestEvent, *, now: float) -> bool:
        return request.priority is Priority.HIGH or self._is_soon(request.deadline, now=now)

    def _is_soon(self, deadline: float, *, now: float) -> bool:
        return deadline - now <= self.soon

    def leaves_at(self, event: RequestEvent, *, created_at: float) -> float:
        """When a request leaves, in epoch seconds. `created_at` is when its group was made. Of
        a short time, the PTU gets half: otherwise such a request would never try it."""
        if event.spillover is Spillover.NEVER:
            return STAYS
        return self.leaves(event.deadline, created_at=created_at)

    def leaves(self, deadline: float, *, created_at: float) -> float:
        """The same for any request that may leave."""
        return deadline - min(self.spillover_lead, (deadline - created_at) / 2)
