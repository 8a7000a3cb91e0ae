"""The ledger of a request: numbered slots, each created, never upserted, and their fold.

Pure. The rules are those of docs/ledger.md; the numbers in comments are its rules.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from ptu_optimizer.requests.ids import slice_of_request

OUTCOME_TTL_MARGIN_SECONDS = 3_600
"""Outcomes outlive every other record of their group, so that a fold never loses its end (15)."""


class SlotKind(StrEnum):
    """What a slot says. The last four are outcomes: the one end of a request."""

    ATTEMPT = "attempt"
    RELEASED = "released"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_outcome(self) -> bool:
        return self not in (SlotKind.ATTEMPT, SlotKind.RELEASED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One numbered place in a request's ledger. Times are epoch seconds."""

    request_id: str
    n: int
    kind: SlotKind
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
            kind=SlotKind(record["kind"]),
            claim_token=record["claim_token"],
            at=record["at"],
            failures=record.get("failures", 0),
            lease_until=record.get("lease_until", 0.0),
            not_before=record.get("not_before", 0.0),
            enqueued_at=record.get("enqueued_at", 0.0),
            details={k: v for k, v in record.items() if k not in _NO_DETAILS and k[0] != "_"},
        )


SLOT_FIELDS = ("id", *(one.name for one in fields(Slot) if one.name != "details"))
"""Of the document, what the rules decide on: everything but `details`."""

_NO_DETAILS = frozenset([*SLOT_FIELDS, "slice", "ttl"])


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
    attempts = [slot for slot in slots if slot.kind is SlotKind.ATTEMPT]
    if top is None:
        state = State.DEFERRED if deferred else State.QUEUED
    elif top.kind.is_outcome:
        state = State(top.kind.value)
    elif top.kind is SlotKind.ATTEMPT and now <= top.lease_until + skew:
        state = State.DISPATCHING
    else:
        state = State.DEFERRED
    return Folded(
        state=state,
        top=top,
        attempts=len(attempts),
        failures=top.failures if top else 0,
        released=tuple(slot for slot in slots if slot.kind is SlotKind.RELEASED),
    )
