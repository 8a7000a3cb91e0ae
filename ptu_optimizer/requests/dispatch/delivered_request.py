"""A delivered request in its invocation: what all who bring it on need to know of where it came."""

from __future__ import annotations

from dataclasses import dataclass, field

from ptu_optimizer.ports.hubs import DeliveredEvent, Delivery, Report
from ptu_optimizer.requests.envelope import REQUESTS_LATER, RequestEvent
from ptu_optimizer.requests.ids import GroupId
from ptu_optimizer.requests.ledger.slots import Sighting

from .delivery_progress import Progress
from .rescheduling import Rescheduler


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
