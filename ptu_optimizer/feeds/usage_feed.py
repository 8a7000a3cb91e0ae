"""Usage events of interactive gateways: a delivered batch in, windows of work out.

Nothing here raises because of an event's content: a bad event would hold its partition, and
that costs more than the event is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptu_optimizer.capacity.signals.usage_events import (
    MAX_AGE_SECONDS,
    MAX_AHEAD_SECONDS,
    TOO_OLD,
    Tally,
    UsageEvents,
)
from ptu_optimizer.clock import Clock
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import DeliveredEvent, Delivery
from ptu_optimizer.telemetry import logger

_log = logger("usage")


USAGE_TTL_SECONDS = 120
"""How long windows stay in `capacity`. A process that needs them reads them within seconds."""

RELEVANT_SECONDS = MAX_AGE_SECONDS + MAX_AHEAD_SECONDS
"""An event that the hub took longer ago than this is too old."""

LOG_SECONDS = 60.0
"""At most one report a minute, however many batches there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Handled:
    """How far a partition has been handled, and what was made of its last batch."""

    last_sequence_number: int
    at: float
    records: list[JsonObject]


class UsageFeed:
    """One per process, for all partitions that it owns.

    A batch that comes again (its records or its checkpoint could not be written) gives the same
    records again, under the same ids. If it comes again cut differently, what was handled in it is
    left out. What another process has handled is not known here: such events can count twice,
    which the trim by the one-minute metric mends (docs/usage-events.md).
    """

    def __init__(self, *, events: UsageEvents, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._handled: dict[str, _Handled] = {}
        self._tally = Tally()
        self._reported_at = float("-inf")

    def take(self, delivery: Delivery) -> list[JsonObject]:
        """The records for `capacity`."""
        if not delivery.events:
            return []
        now = self._clock.now()
        records: list[JsonObject] = []
        fresh = list(delivery.events)
        before = self._handled.get(delivery.partition)
        if (
            before is not None
            and fresh[0].sequence_number <= before.last_sequence_number
            # what was handled longer ago is too old anyway; and a hub that was made anew, which
            # counts from 0 again, is heard again after this time
            and before.at >= now - RELEVANT_SECONDS
        ):
            records += before.records
            fresh = [one for one in fresh if one.sequence_number > before.last_sequence_number]
        if fresh:
            records += self._aggregate(delivery.partition, fresh, now=now)
            self._handled[delivery.partition] = _Handled(
                last_sequence_number=fresh[-1].sequence_number, at=now, records=records
            )
        self._report(now)
        return records

    def _aggregate(
        self, partition: str, events: Sequence[DeliveredEvent], *, now: float
    ) -> list[JsonObject]:
        # without a look inside: a hub that nobody has read for days is passed by quickly
        recent = [one for one in events if not 0 < one.enqueued_at < now - RELEVANT_SECONDS]
        found, tally = self._events.aggregate(
            (one.raw for one in recent),
            record_id=f"usage:{partition}:{events[0].sequence_number}",
            source=f"usage:{partition}",
            now=now,
        )
        tally.dropped[TOO_OLD] += len(events) - len(recent)
        self._tally.add(tally)
        return [usage.record(ttl_seconds=USAGE_TTL_SECONDS) for usage in found]

    def _report(self, now: float) -> None:
        if now < self._reported_at + LOG_SECONDS:
            return
        tally, self._tally, self._reported_at = self._tally, Tally(), now
        if tally.taken:
            _log.info(
                "usage events taken",
                extra={"taken": tally.taken, "ends": tally.used, "estimated": tally.estimated},
            )
        if tally.dropped:
            _log.warning("usage events dropped", extra={"reasons": dict(tally.dropped)})
