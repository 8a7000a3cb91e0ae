"""What a trigger hands over, and what its function writes when it ends."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from ptu_optimizer.requests.ids import bucket_of
from ptu_optimizer.requests.item import JsonObject

DEAD_LETTER_TTL_SECONDS = 30 * 86_400
POSITIONS_BUCKET = "positions"


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

    def position(self, *, now: float) -> JsonObject:
        """How far the partition has been read, for `groups` (11)."""
        last = self.events[-1]
        return {
            "id": f"position:{self.hub}:{self.partition}",
            "bucket": POSITIONS_BUCKET,
            "type": "position",
            "hub": self.hub,
            "partition": self.partition,
            "sequence_number": last.sequence_number,
            "enqueued_at": last.enqueued_at,
            "at": now,
        }

    def dead_letter(self, event: DeliveredEvent, reason: str, *, now: float) -> JsonObject:
        """An event of this batch that is put aside, whole, for `dead_letters`."""
        return {
            "id": f"{self.hub}:{self.partition}:{event.sequence_number}",
            "bucket": bucket_of(event.enqueued_at),
            "hub": self.hub,
            "partition": self.partition,
            "sequence_number": event.sequence_number,
            "enqueued_at": event.enqueued_at,
            "at": now,
            "reason": reason,
            "body_base64": base64.b64encode(event.raw).decode(),
            "ttl": DEAD_LETTER_TTL_SECONDS,
        }


@dataclass(kw_only=True, slots=True)
class Report:
    """What the function writes by output bindings when it ends, in this order."""

    annotations: list[JsonObject] = field(default_factory=list)
    """Deferrals and duplicate calls, for `requests`."""
    dead_letters: list[JsonObject] = field(default_factory=list)
    """For `dead_letters`."""
    positions: list[JsonObject] = field(default_factory=list)
    """For `groups`. Last, after the deferrals, as the sweep relies on (11)."""
