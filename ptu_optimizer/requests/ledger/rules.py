"""The rules of the ledger: what may be done with a request, given its slots. Pure.

The numbers in comments are those of docs/ledger.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .slots import Slot, SlotKind, head


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
    """The circumstances of the reader, on which a take-over depends (5)."""

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
    if top.kind is SlotKind.RELEASED:
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
    if top.kind is SlotKind.ATTEMPT and not cancelling and now <= top.lease_until + skew:
        return None
    return top.n + 1
