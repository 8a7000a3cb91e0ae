"""Does the utilization header describe the moment when its call was admitted, or when it ended?

It is not documented. If a level of seconds ago is taken for the present one, control oscillates.
So it is learned: readings of the same moment are alike. Pure.
"""

from __future__ import annotations

from collections import deque

NEAR_SECONDS = 0.3
FAR_SECONDS = 1.0
"""Two calls count for admission if they started within NEAR_SECONDS and ended FAR_SECONDS apart,
and for the end in the opposite case."""

LEAST_PAIRS = 12.0
"""Nothing is concluded from fewer pairs (with forgetting) on either side."""

MEMORY_PAIRS = 100.0
"""About so many pairs are remembered, because the service may change while the app runs."""

CLEARLY = 0.5
"""The mean square difference of one side must be below this share of the other's."""

KEEP_READINGS = 32


class HeaderTiming:
    """Assumes the end of the call at first: for short calls that costs least if it is wrong."""

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
