"""A delivered request in its invocation: what all who bring it on need to know of where it came."""

from __future__ import annotations

from dataclasses import dataclass, field

from .deferral import Rescheduler
from .deliveries import DeliveredEvent, Delivery, Report
from .events import REQUESTS_LATER, RequestEvent
from .ids import GroupId
from .ledger import Sighting
from .progress import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """What the events of one delivered batch share."""

    delivery: Delivery
    report: Report
    rescheduler: Rescheduler
    until: float
    """Monotonic: after this no new work is started."""
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True, kw_only=True, slots=True)
class InHand:
    event: RequestEvent
    delivered: DeliveredEvent
    group: GroupId
    invocation: Invocation

    @property
    def hub(self) -> str:
        return self.invocation.delivery.hub

    def sighting(self, *, now: float, skew: float) -> Sighting:
        return Sighting(
            now=now,
            skew=skew,
            on_later=self.hub == REQUESTS_LATER,
            enqueued_at=self.delivered.enqueued_at,
        )
