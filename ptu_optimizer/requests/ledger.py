"""The ledger of a request: numbered slots, each created, never upserted, and their fold.

Pure. The rules are those of docs/ledger.md; the numbers in comments are its rules.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .ids import slice_of_request

OUTCOME_TTL_MARGIN_SECONDS = 3_600
"""Outcomes outlive every other record of their group, so that a fold never loses its end (15)."""


class Kind(StrEnum):
    """What a slot says. The last four are outcomes: the one end of a request."""

    ATTEMPT = "attempt"
    RELEASED = "released"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_outcome(self) -> bool:
        return self not in (Kind.ATTEMPT, Kind.RELEASED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One numbered place in a request's ledger. Times are epoch seconds."""

    request_id: str
    n: int
    kind: Kind
    claim_token: str
    at: float
    failures: int = 0
    """Failed attempts so far; the ledger counts them, not the events (6)."""
    lease_until: float = 0.0
    """Attempts: others may act only after this + SKEW (4)."""
    not_before: float = 0.0
    """Released: no attempt before this, for stale copies too (6)."""
    enqueued_at: float = 0.0
    """Attempts: when the hub took the event that led to it (11); 0 if that is not known."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Why, response, error, usage, deployment…: carried, never decided upon."""

    @property
    def id(self) -> str:
        return slot_id(self.request_id, self.n)

    def record(self, *, ends_at: float, now: float) -> dict[str, Any]:
        """The document for `requests`; it lives until its group's end, outcomes longer."""
        margin = OUTCOME_TTL_MARGIN_SECONDS if self.kind.is_outcome else 0
        return {
            **self.details,
            "id": self.id,
            "slice": slice_of_request(self.request_id),
            "request_id": self.request_id,
            "n": self.n,
            "kind": self.kind.value,
            "claim_token": self.claim_token,
            "at": self.at,
            "failures": self.failures,
            "lease_until": self.lease_until,
            "not_before": self.not_before,
            "enqueued_at": self.enqueued_at,
            "ttl": max(1, int(ends_at - now) + margin),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Slot:
        return cls(
            request_id=record["request_id"],
            n=record["n"],
            kind=Kind(record["kind"]),
            claim_token=record["claim_token"],
            at=record["at"],
            failures=record.get("failures", 0),
            lease_until=record.get("lease_until", 0.0),
            not_before=record.get("not_before", 0.0),
            enqueued_at=record.get("enqueued_at", 0.0),
            details={k: v for k, v in record.items() if k not in _SLOT_FIELDS and k[0] != "_"},
        )


_SLOT_FIELDS = frozenset(
    [
        "id",
        "slice",
        "request_id",
        "n",
        "kind",
        "claim_token",
        "at",
        "failures",
        "lease_until",
        "not_before",
        "enqueued_at",
        "ttl",
    ]
)


def slot_id(request_id: str, n: int) -> str:
    return f"{request_id}:{n}"


def is_slot(record: Mapping[str, Any]) -> bool:
    """Whether a record of `requests` is a slot, and not an annotation or a sweep mark."""
    return isinstance(record.get("n"), int)


def new_token() -> str:
    """A claim token, drawn afresh per claim and kept across retries of that create (2)."""
    return secrets.token_hex(8)


def head(slots: Iterable[Slot]) -> Slot | None:
    return max(slots, key=lambda slot: slot.n, default=None)


# --- what to do when someone was here: the next step -------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """Create slot n: its predecessor was seen and is no outcome (1)."""

    n: int
    failures: int
    takes_over: bool = False


@dataclass(frozen=True, slots=True)
class Ours:
    """The refusing record bears our own token: the create had landed (2)."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Later:
    """Come back on `requests-later`, carrying this slot, not before this time."""

    n: int
    not_before: float
    why: str
    to_take_over: bool = False
    """It met an attempt, which only an event on `requests-later` may take over (5)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The request has its outcome: drop the event."""

    slot: Slot


Step = Claim | Ours | Later | Ended


VISIBILITY_DELAY_SECONDS = 1.0
"""How soon to look again for a record that refused us but is not visible (Session consistency)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """Who is looking: what a take-over depends on (5)."""

    now: float
    skew: float
    on_later: bool
    """Whether the event was delivered on `requests-later`."""
    enqueued_at: float
    """When the hub took the event, by the hub's clock."""


def next_step(
    slots: Sequence[Slot],
    *,
    n: int,
    token: str,
    refused: bool,
    seen: Sighting,
    visibility_delay: float = VISIBILITY_DELAY_SECONDS,
) -> Step:
    """What an event that carries slot `n` does after reading `slots`.

    Called after a create of slot n with `token` that was refused (`refused`) or whose fate is
    unknown, and before the first create of an event that carries n > 1 (then `token` is "").
    """
    top = head(slots)
    if top is not None and top.kind.is_outcome:
        return Ended(top)
    mine = next((slot for slot in slots if slot.n == n), None)
    if refused and mine is None:
        # 3: refused by a record that is not visible yet: treat as live, come back, same slot
        return Later(n, seen.now + visibility_delay, "its last record is not visible yet")
    if mine is not None and mine is top and token and mine.claim_token == token:
        return Ours(mine)
    if top is None:
        if n == 1 and not token:
            return Claim(1, 0)
        return Later(n, seen.now + visibility_delay, "its last record is not visible yet")
    if top.kind is Kind.RELEASED:
        if token and mine is None:
            # our create of n may still land: let it become visible before anyone decides
            return Later(n, seen.now + visibility_delay, "the fate of a write is not known yet")
        return _after_release(top, seen)
    free_at = top.lease_until + seen.skew
    if seen.now <= free_at:
        return Later(top.n, free_at, "another attempt is under way", to_take_over=True)
    if token and mine is None:
        # our take-over may still land: let it become visible before anyone decides
        why = "the fate of a write is not known yet"
        return Later(top.n, seen.now + visibility_delay, why, to_take_over=True)
    if not seen.on_later or seen.enqueued_at <= free_at:
        # 5: only an event enqueued after the lease is behind every result event of the attempt
        return Later(top.n, seen.now, "the lease of an attempt has ended", to_take_over=True)
    return Claim(top.n + 1, top.failures + 1, takes_over=True)


def _after_release(top: Slot, seen: Sighting) -> Step:
    if seen.now < top.not_before:
        return Later(top.n + 1, top.not_before, str(top.details.get("why", "released")))
    return Claim(top.n + 1, top.failures)


def may_end(slots: Sequence[Slot], *, now: float, skew: float, cancelling: bool) -> int | None:
    """The slot at which a cancel or an expiry may write its outcome, or None if it may not.

    A cancel may end a live attempt, whose success is then a duplicate; an expiry waits for the
    lease (8).
    """
    top = head(slots)
    if top is None:
        return 1
    if top.kind.is_outcome:
        return None
    if top.kind is Kind.ATTEMPT and not cancelling and now <= top.lease_until + skew:
        return None
    return top.n + 1


# --- the fold ----------------------------------------------------------------------------------


class State(StrEnum):
    """A request's state as `GET /response/{id}` shows it."""

    QUEUED = "queued"
    DEFERRED = "deferred"
    DISPATCHING = "dispatching"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Folded:
    """A request, folded from its slots."""

    state: State
    top: Slot | None
    attempts: int
    failures: int
    released: tuple[Slot, ...]


def fold(slots: Sequence[Slot], *, deferred: bool, now: float, skew: float) -> Folded:
    """`deferred` is whether an annotation says that the request was re-scheduled."""
    top = head(slots)
    attempts = [slot for slot in slots if slot.kind is Kind.ATTEMPT]
    if top is None:
        state = State.DEFERRED if deferred else State.QUEUED
    elif top.kind.is_outcome:
        state = State(top.kind.value)
    elif top.kind is Kind.ATTEMPT and now <= top.lease_until + skew:
        state = State.DISPATCHING
    else:
        state = State.DEFERRED
    return Folded(
        state=state,
        top=top,
        attempts=len(attempts),
        failures=top.failures if top else 0,
        released=tuple(slot for slot in slots if slot.kind is Kind.RELEASED),
    )
