"""Moments at which the deployment was certainly full: somebody was refused. Pure.

What was played up to such a moment, with all that is known by now of what went in, falls short of
full by what was believed to be drained and was not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .trajectory import Anchor

APART_SECONDS = 5.0
"""Refusals come in bursts, and tell of the same."""


@dataclass(frozen=True, slots=True)
class FullMoment:
    at: float
    certain: Anchor
    """Where the level was certain before it."""
    since_last: float
    """Seconds since the moment before it that was looked at; infinite for the first."""


class Refusals:
    """One at a time: a moment waits until all that went in up to it is known."""

    def __init__(self) -> None:
        self._open: tuple[float, Anchor] | None = None
        self._last = -math.inf

    def seen(self, at: float, *, certain: Anchor) -> None:
        """Somebody was refused at `at`. One of which nothing certain lies before says nothing."""
        if self._open is None and at > max(certain.at, self._last + APART_SECONDS):
            self._open = (at, certain)

    def due(self, *, known_until: float) -> FullMoment | None:
        """The moment that waits, once, when all up to `known_until` is known."""
        if self._open is None or self._open[0] > known_until:
            return None
        at, certain = self._open
        moment = FullMoment(at, certain, at - self._last)
        self._open, self._last = None, at
        return moment
