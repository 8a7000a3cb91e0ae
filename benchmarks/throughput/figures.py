"""The arithmetic of the measurements. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

STEADY_FROM = 0.1
STEADY_TO = 0.9
"""The part of a run whose rate counts: the first tenth warms up, the last one runs dry."""


class Mark(NamedTuple):
    """How many had been served at a moment."""

    at: float
    """Seconds, on any one clock."""
    served: int


def rate_between(
    marks: Sequence[Mark], *, total: int, low: float = STEADY_FROM, high: float = STEADY_TO
) -> float:
    """Served a second between the shares `low` and `high` of `total`.

    The moments at which the shares were reached lie between marks, and are taken from the straight
    line between them. Raises ValueError if the marks do not reach from one to the other.
    """
    if not 0.0 <= low < high <= 1.0:
        raise ValueError(f"a window must lie within 0 and 1, not {low} to {high}")
    start, end = _reached(marks, low * total), _reached(marks, high * total)
    if end <= start:
        raise ValueError(f"no time passed between {low:.0%} and {high:.0%}: look more often")
    return (high - low) * total / (end - start)


def _reached(marks: Sequence[Mark], served: float) -> float:
    """When `served` was reached. For 0 it is the last moment at which nothing had been served."""
    before: Mark | None = None
    for mark in marks:
        if mark.served >= served and (served > 0 or mark.served > 0):
            if before is None or mark.served == before.served:
                return mark.at
            share = (served - before.served) / (mark.served - before.served)
            return before.at + share * (mark.at - before.at)
        before = mark
    raise ValueError(f"{served:g} were never served; the last mark is {before}")


class Rounds(NamedTuple):
    """The same thing measured several times, ours and bare taking turns."""

    ours: tuple[float, ...]
    bare: tuple[float, ...]

    @property
    def ours_median(self) -> float:
        return median(self.ours)

    @property
    def bare_median(self) -> float:
        return median(self.bare)

    @property
    def ratio(self) -> float:
        """Of the medians: one disturbed round does not move it."""
        return self.ours_median / self.bare_median
