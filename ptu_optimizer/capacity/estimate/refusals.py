"""Moments at which the deployment was certainly full: a call was refused. Pure.

When a call is refused, the bucket must have been full. If replaying the known inflow up to that
moment gives a lower level, the difference is drain that we assumed and that did not happen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .trajectory import Anchor

APART_SECONDS = 5.0
"""Refusals come in bursts, and a burst shows one full moment."""


@dataclass(frozen=True, slots=True)
class FullMoment:
    at: float
    certain: Anchor
    """The last certain level before it."""
    since_last: float
    """Seconds since the full moment before it; infinite for the first."""


class Refusals:
    """Keeps one moment at a time, until all inflow up to it is known."""

    def __init__(self) -> None:
        self._open: tuple[float, Anchor] | None = None
        self._last = -math.inf

    def seen(self, at: float, *, certain: Anchor) -> None:
        """A call was refused at `at`. Without a certain level before it, it teaches nothing."""
        if self._open is None and at > max(certain.at, self._last + APART_SECONDS):
            self._open = (at, certain)

    def due(self, *, known_until: float) -> FullMoment | None:
        """The moment that is kept, once, if all inflow up to it is known (`known_until`)."""
        if self._open is None or self._open[0] > known_until:
            return None
        at, certain = self._open
        moment = FullMoment(at, certain, at - self._last)
        self._open, self._last = None, at
        return moment
