"""Event Hubs, as the use cases need it: the hubs' names, what is delivered, what is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveredEvent:
    """One event as the trigger hands it over. `enqueued_at` is the hub's clock, epoch seconds."""

    raw: bytes
    sequence_number: int
    enqueued_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A batch of one partition, in its order."""

    hub: str
    partition: str
    events: Sequence[DeliveredEvent]


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What a hub says of one of its partitions."""

    partition: str
    last_sequence_number: int
    is_empty: bool


class HubReader(Protocol):
    async def partitions(self, hub: str) -> list[PartitionState]:
        """Raises DependencyUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An encoded event, and what decides its partition: a key, its number, or neither (any)."""

    payload: bytes
    key: str | None = None
    partition: str | None = None


class Publisher(Protocol):
    """Event Hubs, as few batches as possible."""

    async def ready(self, hub: str) -> None:
        """Make sure that a send could succeed now. Raises DependencyUnavailable."""
        ...

    async def publish(self, hub: str, events: Sequence[Outgoing]) -> None:
        """Send and wait for the hub's word. Raises PublishFailed."""
        ...


class PublishFailed(Exception):
    """Some events were not acknowledged; `sent` of them were."""

    def __init__(self, hub: str, *, sent: int, reason: str) -> None:
        super().__init__(f"publishing to hub {hub} failed after {sent} events: {reason}")
        self.hub = hub
        self.sent = sent
        self.reason = reason


REQUESTS = "requests"
"""Bulk: first in, first out per partition."""


REQUESTS_SOON = "requests-soon"
"""What must overtake: high priority, or a deadline that is near."""


REQUESTS_LATER = "requests-later"
"""What is re-scheduled, so that what is not due never blocks what is."""


HUBS = (REQUESTS, REQUESTS_SOON, REQUESTS_LATER)


USAGE = "usage"
"""The hub. Its events are not ours: gateways send them."""
