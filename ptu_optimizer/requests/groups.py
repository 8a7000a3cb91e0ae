"""The documents of the container `groups`: where each kind lies, and how it is written."""

from __future__ import annotations

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import Delivery

POSITIONS_BUCKET = "positions"


def position(delivery: Delivery, *, now: float) -> JsonObject:
    """How far the partition has been read (11)."""
    last = delivery.events[-1]
    return {
        "id": f"position:{delivery.hub}:{delivery.partition}",
        "bucket": POSITIONS_BUCKET,
        "type": "position",
        "hub": delivery.hub,
        "partition": delivery.partition,
        "sequence_number": last.sequence_number,
        "enqueued_at": last.enqueued_at,
        "at": now,
    }
