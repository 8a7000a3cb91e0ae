"""A delivered request together with the event and the invocation that it came with."""

from __future__ import annotations

from dataclasses import dataclass

from ptu_optimizer.ports.hubs import REQUESTS_LATER, DeliveredEvent
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.ids import GroupId
from ptu_optimizer.requests.ledger.rules import Sighting

from .invocation import Invocation


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveredRequest:
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
