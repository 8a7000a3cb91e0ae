"""What is believed of a deployment now, and what that rests on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """The newest signal of one kind and source, and what it counts for in the belief."""

    kind: str
    source: str
    value: float | None
    observed_at: float
    weight: float
    """1: the belief rests on it. 0: known, and not used while there is better."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Belief:
    """What the app believes now. `value` is None if nothing has ever been known."""

    value: float | None
    """The level, 1.0 is 100 %."""
    source: str
    age: float
    fresh: bool
    others: float | None = None
    """The load of all callers but this app; 1.0 is all that the deployment drains."""
    provenance: tuple[Provenance, ...] = field(default=())


class Basis(StrEnum):
    """What the belief rests on, best first."""

    HEADER = "header"
    EVENTS = "usage events"
    METRIC = "azure monitor"
    NOTHING = "nothing"
