"""Which process may send to a deployment: a lease between processes. Pure.

One sender at a time is nearly ideal; many that do not know of each other are not
(docs/capacity.md). The lease makes sending smooth. Safety does not depend on it: two holders do
little harm, and some seconds without a holder cost a little idle time.

No clocks are compared: a lease is free when its record has not changed for LEASE_SECONDS by the
reader's own clock. A planned handover names the successor and a moment shortly ahead, so that
one process stops when the other starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0
"""Three renewals may fail before another process takes the lease."""

SAFETY_SECONDS = 1.5
"""The holder stops this much before others may start: a write may be read a second late."""

ROUND_SECONDS = 6_400.0
SHORTEST_TURN_SECONDS = 60.0
LONGEST_TURN_SECONDS = 180.0
"""How long a holder keeps the lease while others wait. Every process gets it within a round, so
that every partition is read. Each handover costs a little, and nothing is learned from a minute
that it divides."""

NOTICE_SECONDS = 4.0
"""How far ahead a handover is announced. The successor reads every two seconds, with a delay of
up to a second."""

DRY_SECONDS = 4.5
"""A holder that will run out of requests within this time hands over early, so that others can
continue at once."""

CANDIDATE_SECONDS = 20.0
"""How long a candidate's record counts as a sign that it has work."""

RECORD_TTL_SECONDS = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class SendLease:
    """The record `lease:{hub}` of a deployment. Times are the holder's, epoch seconds."""

    deployment: str
    hub: str
    holder: str
    """The process that may send; empty if it was given up."""
    serial: int
    since: float
    waiting: int = 0
    """Requests that wait at the holder's gate."""
    successor: str = ""
    handover_at: float = 0.0

    @property
    def record_id(self) -> str:
        return f"lease:{self.hub}"

    def record(self) -> dict[str, Any]:
        return {
            "id": self.record_id,
            "deployment": self.deployment,
            "type": "lease",
            "hub": self.hub,
            "holder": self.holder,
            "serial": self.serial,
            "since": self.since,
            "waiting": self.waiting,
            "successor": self.successor,
            "handover_at": self.handover_at,
            "ttl": RECORD_TTL_SECONDS,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> SendLease:
        """Raises KeyError, TypeError or ValueError for a record that lacks a part."""
        return cls(
            deployment=record["deployment"],
            hub=record["hub"],
            holder=record["holder"],
            serial=int(record["serial"]),
            since=float(record["since"]),
            waiting=int(record["waiting"]),
            successor=record["successor"],
            handover_at=float(record["handover_at"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A process that has requests of a hub and not the lease. `since` orders them."""

    worker: str
    since: float
    heard_at: float
    """When its record was read, by the reader's clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A lease as this process knows it; times by its own monotonic clock."""

    lease: SendLease | None
    etag: str | None
    changed_at: float
    """When this state was first seen."""
    ours_until: float = float("-inf")
    """We hold it until then, by our last acknowledged write."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Write nothing."""


@dataclass(frozen=True, slots=True)
class Write:
    """Try to make this the lease."""

    lease: SendLease


LeaseStep = Keep | Write


def may_send_until(seen: Seen, me: str, *, monotonic: float, now: float) -> float:
    """Until when this process may send, by its monotonic clock. The time may lie in the past."""
    lease = seen.lease
    if lease is None or lease.holder != me:
        return float("-inf")
    if lease.successor in ("", me):
        return seen.ours_until
    return min(seen.ours_until, monotonic + lease.handover_at - now)


def next_lease_step(
    seen: Seen,
    *,
    me: str,
    deployment: str,
    hub: str,
    waiting: int,
    dry_in: float,
    candidates: Iterable[Candidate],
    monotonic: float,
    now: float,
) -> LeaseStep:
    """What this process should write. `waiting` requests wait at its gate; at its present pace
    the last of them leaves in `dry_in` seconds."""
    lease = seen.lease
    age = monotonic - seen.changed_at
    if lease is not None and lease.holder == me and monotonic < seen.ours_until + SAFETY_SECONDS:
        return _as_holder(
            lease,
            me=me,
            waiting=waiting,
            dry_in=dry_in,
            candidates=candidates,
            monotonic=monotonic,
            now=now,
            renewed=seen.ours_until - LEASE_SECONDS + SAFETY_SECONDS,
        )
    if waiting == 0:
        return Keep()
    named = lease is not None and lease.successor == me and now >= lease.handover_at
    # still ours: it lapsed, or a write of ours landed whose answer was lost
    still = lease is not None and lease.holder == me and lease.successor in ("", me)
    if lease is None or not lease.holder or named or still or age > LEASE_SECONDS:
        return Write(
            SendLease(
                deployment=deployment,
                hub=hub,
                holder=me,
                serial=0 if lease is None else lease.serial + 1,
                since=now,
                waiting=waiting,
            )
        )
    return Keep()


def _as_holder(
    lease: SendLease,
    *,
    me: str,
    waiting: int,
    dry_in: float,
    candidates: Iterable[Candidate],
    monotonic: float,
    now: float,
    renewed: float,
) -> LeaseStep:
    if lease.successor not in ("", me):
        # the handover is announced: there is nothing to write, unless the successor does not
        # come
        return Keep()
    others = [
        one
        for one in candidates
        if one.worker != me and monotonic - one.heard_at < CANDIDATE_SECONDS
    ]
    turn = ROUND_SECONDS / (len(others) + 1)
    turn = min(LONGEST_TURN_SECONDS, max(SHORTEST_TURN_SECONDS, turn))
    if others and (dry_in < DRY_SECONDS or now - lease.since >= turn):
        longest = min(others, key=lambda one: (one.since, one.worker))
        return Write(
            replace(
                lease,
                serial=lease.serial + 1,
                waiting=waiting,
                successor=longest.worker,
                handover_at=now + NOTICE_SECONDS,
            )
        )
    if monotonic - renewed >= RENEW_SECONDS:
        return Write(replace(lease, serial=lease.serial + 1, waiting=waiting))
    return Keep()
