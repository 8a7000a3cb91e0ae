"""The SDK's events in, a delivery out: what `triggers/deliveries.py` is for the Functions host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from azure.eventhub import EventData

from ptu_optimizer.ports.hubs import DeliveredEvent, Delivery


def delivery(hub: str, partition: str, events: Sequence[EventData]) -> Delivery:
    """A batch of one partition, as the use cases know it."""
    return Delivery(
        hub=hub,
        partition=partition,
        events=[
            DeliveredEvent(
                raw=body(event),
                sequence_number=event.sequence_number or 0,
                enqueued_at=epoch(event.enqueued_time),
            )
            for event in events
        ],
    )


def body(event: EventData) -> bytes:
    """The bytes of an event. Of AMQP sequences and values, which are none of ours, a text: what
    comes of them is a dead letter, never an exception that would hold their partition."""
    content: Any = event.body
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    if not isinstance(content, dict):
        content = list(content)
        if all(isinstance(piece, bytes) for piece in content):
            return b"".join(content)
    return str(content).encode()


def epoch(enqueued: datetime | None) -> float:
    """Epoch seconds of the hub's time."""
    if enqueued is None:
        return 0.0
    return (enqueued if enqueued.tzinfo else enqueued.replace(tzinfo=UTC)).timestamp()
