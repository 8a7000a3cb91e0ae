"""Does the utilization header tell of the moment its call was admitted, or of the moment it ended?

Not documented. A level that is believed for now but was taken seconds ago makes the control swing,
so it is learned from what was seen: readings taken at the same moment are alike. Pure.
"""

from __future__ import annotations

from collections import deque

NEAR_SECONDS = 0.3
FAR_SECONDS = 1.0
"""Two calls speak for one side if they are near on that side and far apart on the other."""

LEAST_PAIRS = 12.0
"""Below so many pairs (with forgetting) on each side nothing is concluded."""

MEMORY_PAIRS = 100.0
"""About so many pairs are remembered: a service may be changed while we run."""

CLEARLY = 0.5
"""The mean square difference of one side must be below this share of the other's."""

KEEP_READINGS = 32


class HeaderTiming:
    """Starts with the end of the call, which costs least if it is wrong for short calls."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float, float]] = deque(maxlen=KEEP_READINGS)
        self._ends = _Differences()
        self._starts = _Differences()
        self.at_admission = False

    def observe(self, *, started: float, ended: float, value: float) -> None:
        """One header: its call ran from `started` to `ended` and carried `value`."""
        for other_start, other_end, other in self._seen:
            apart_at_start = abs(other_start - started)
            apart_at_end = abs(other_end - ended)
            if apart_at_end <= NEAR_SECONDS and apart_at_start >= FAR_SECONDS:
                self._ends.add((value - other) ** 2)
            elif apart_at_start <= NEAR_SECONDS and apart_at_end >= FAR_SECONDS:
                self._starts.add((value - other) ** 2)
        self._seen.append((started, ended, value))
        if min(self._ends.count, self._starts.count) < LEAST_PAIRS:
            return
        if self._starts.mean < CLEARLY * self._ends.mean:
            self.at_admission = True
        elif self._ends.mean < CLEARLY * self._starts.mean:
            self.at_admission = False


class _Differences:
    """A mean that forgets."""

    def __init__(self) -> None:
        self.count = 0.0
        self._total = 0.0

    @property
    def mean(self) -> float:
        return self._total / self.count if self.count else 0.0

    def add(self, square: float) -> None:
        keep = 1.0 - 1.0 / MEMORY_PAIRS
        self.count = keep * self.count + 1.0
        self._total = keep * self._total + square
