"""The document of an event that cannot be handled, for `dead_letters`."""

from __future__ import annotations

import base64

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import DeliveredEvent, Delivery
from ptu_optimizer.requests.ids import bucket_of

DEAD_LETTER_TTL_SECONDS = 30 * 86_400


def dead_letter(
    delivery: Delivery, event: DeliveredEvent, reason: str, *, now: float
) -> JsonObject:
    """The whole event, with the reason why it is put aside."""
    return {
        "id": f"{delivery.hub}:{delivery.partition}:{event.sequence_number}",
        "bucket": bucket_of(event.enqueued_at),
        "hub": delivery.hub,
        "partition": delivery.partition,
        "sequence_number": event.sequence_number,
        "enqueued_at": event.enqueued_at,
        "at": now,
        "reason": reason,
        "body_base64": base64.b64encode(event.raw).decode(),
        "ttl": DEAD_LETTER_TTL_SECONDS,
    }
