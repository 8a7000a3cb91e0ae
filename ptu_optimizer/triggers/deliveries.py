"""What every Event Hub trigger shares: the host's events in, a delivery out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import azure.functions as func
import orjson

from ptu_optimizer.ports.hubs import DeliveredEvent, Delivery


def delivery(hub: str, events: Sequence[func.EventHubEvent]) -> Delivery:
    """A batch of one partition, as the use cases know it."""
    return Delivery(
        hub=hub,
        partition=partition(events),
        events=[
            DeliveredEvent(
                raw=event.get_body(),
                sequence_number=event.sequence_number or 0,
                enqueued_at=epoch(event.enqueued_time),
            )
            for event in events
        ],
    )


def epoch(enqueued: datetime | None) -> float:
    """Epoch seconds of the hub's time, which the host sends without a zone: it is UTC."""
    if enqueued is None:
        return 0.0
    return (enqueued if enqueued.tzinfo else enqueued.replace(tzinfo=UTC)).timestamp()


def partition(events: Sequence[func.EventHubEvent]) -> str:
    """The partition of a batch: metadata is shared by its events (docs/platform.md, "The
    Event Hubs trigger")."""
    metadata = events[0].metadata if events else None
    context = (metadata or {}).get("PartitionContext") or {}
    if isinstance(context, str):  # which of the two depends on how the host typed it
        context = orjson.loads(context)
    return str(context.get("PartitionId", "unknown"))
