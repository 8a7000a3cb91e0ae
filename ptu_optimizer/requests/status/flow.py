"""How fast the requests of a hub come to their deployment.

Pure; times in epoch seconds. A process that dispatches counts the requests that leave its gate,
either to be called (they found room) or to be re-scheduled, and knows from their ids where they
stood in the order of acceptance. It counts requests, not seconds of enqueueing: a call of 5,000
items is enqueued within a second and served within twenty minutes. Seconds in which it had nothing
in hand are not counted, so that an idle hub is not taken for a slow one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

MEMORY_SECONDS = 120.0
"""Memory, in seconds of work: after this long, an earlier count weighs a third."""

DENSITY_MEMORY_SECONDS = 3_600.0
"""How far back the usual number of requests accepted a second is remembered."""

LEAST_BUSY_SECONDS = 0.5
"""Shortest time that a rate is computed over, for requests that are all done at once."""

IDLE_SECONDS = 1.0
"""With no request in hand for this long, the partitions are empty: batches follow each other
faster."""

MOST_GROUPS = 16
"""How many groups under way a process reports."""

SCATTER = 750
"""How far apart the partitions of a group may be, in requests: intake publishes 250 of them to
one partition, the next to another. A process that sees a group for the first time counts
everything further back as done."""


class InvalidFlow(ValueError):
    """A flow record lacks a part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The place of a request in the order of acceptance, as its id says."""

    accepted_at: float
    group: str
    index: int
    count: int
    """Requests of its group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupProgress:
    """How far one process has come with a group."""

    group: str
    accepted_at: float
    count: int
    before: int
    """How many count as gone before this process saw the group."""
    left: int = 0
    """So many have left its gate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """What one process knows of one hub and deployment, as others read it."""

    hub: str
    worker: str
    at: float
    rate: float
    """Requests that leave the gate a second, called or re-scheduled, while some are in hand."""
    idle: bool
    """Whether nothing waited any more when this was published."""
    chance: float
    """The share of them that found room."""
    round_seconds: float
    """How long a request took that found no room, from its publication to the next."""
    accepted_per_second: float
    """How many requests were usually accepted a second."""
    newest: float
    """When the newest request that has left was accepted."""
    groups: tuple[GroupProgress, ...]
    """The groups of which some requests have left and some have not."""

    def record(self, *, deployment: str, ttl_seconds: int) -> dict[str, Any]:
        """The document for `capacity`."""
        return {
            "id": f"flow:{self.hub}:{self.worker}",
            "deployment": deployment,
            "type": "flow",
            **asdict(self),
            "ttl": ttl_seconds,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises InvalidFlow."""
        try:
            return cls(
                hub=record["hub"],
                worker=record["worker"],
                at=float(record["at"]),
                rate=float(record["rate"]),
                idle=bool(record["idle"]),
                chance=float(record["chance"]),
                round_seconds=float(record["round_seconds"]),
                accepted_per_second=float(record["accepted_per_second"]),
                newest=float(record["newest"]),
                groups=tuple(GroupProgress(**group) for group in record["groups"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidFlow(str(error)) from None


class FlowMeter:
    """Counts in one process what one hub's requests do at the gate of one deployment."""

    def __init__(self) -> None:
        self.changes = 0
        """Grows with every request that has left."""
        self._in_hand = 0
        self._at = 0.0
        self._free_since = 0.0
        self._busy = 0.0
        self._left = 0.0
        self._started = 0.0
        self._rounds = 0.0
        self._groups: dict[str, GroupProgress] = {}
        self._newest = -math.inf
        self._accepted = 0.0
        self._accepted_span = 0.0

    def took(self, *, now: float) -> None:
        """A request is in hand."""
        self._pass_time(now)
        self._in_hand += 1

    def done(self, *, now: float) -> None:
        """It is in hand no longer."""
        self._pass_time(now)
        self._in_hand -= 1
        self._free_since = now

    def left(self, place: Place, *, now: float, started: bool, round_seconds: float = 0.0) -> None:
        """It has left the gate, to be called or not; `round_seconds` after it was published."""
        self._pass_time(now)
        self.changes += 1
        self._left += 1
        if started:
            self._started += 1
        else:
            self._rounds += max(0.0, round_seconds)
        self._count_group(place)
        self._count_accepted(place.accepted_at)

    def flow(self, *, hub: str, worker: str, now: float) -> Flow | None:
        """None if nobody has left yet."""
        self._pass_time(now)
        if not self.changes:
            return None
        turned_away = self._left - self._started
        span = self._accepted_span
        return Flow(
            hub=hub,
            worker=worker,
            at=now,
            rate=self._left / max(LEAST_BUSY_SECONDS, self._busy),
            idle=self._in_hand == 0 and now - self._free_since >= IDLE_SECONDS,
            chance=self._started / self._left,
            round_seconds=self._rounds / turned_away if turned_away > 0.01 else 0.0,
            accepted_per_second=self._accepted / span if span > 0 else 0.0,
            newest=self._newest,
            groups=tuple(self._groups.values()),
        )

    def _pass_time(self, now: float) -> None:
        if self._in_hand > 0 and now > self._at:
            seconds = now - self._at
            kept = math.exp(-seconds / MEMORY_SECONDS)
            # seconds and requests fade together, so that their ratio does not
            self._busy = self._busy * kept + seconds
            self._left *= kept
            self._started *= kept
            self._rounds *= kept
        self._at = max(self._at, now)

    def _count_group(self, place: Place) -> None:
        known = self._groups.pop(place.group, None) or GroupProgress(
            group=place.group,
            accepted_at=place.accepted_at,
            count=place.count,
            before=max(0, place.index - SCATTER),
        )
        if known.before + known.left + 1 < place.count:
            # moved to the end, so that the first one is the one that has not moved for longest
            self._groups[place.group] = replace(known, left=known.left + 1)
            if len(self._groups) > MOST_GROUPS:
                del self._groups[next(iter(self._groups))]

    def _count_accepted(self, at: float) -> None:
        if at > self._newest:
            if self._newest > -math.inf:
                kept = math.exp(-(at - self._newest) / DENSITY_MEMORY_SECONDS)
                self._accepted *= kept
                self._accepted_span = self._accepted_span * kept + at - self._newest
            self._newest = at
        self._accepted += 1
