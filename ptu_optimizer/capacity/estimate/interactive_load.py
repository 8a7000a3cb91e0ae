"""The load that all callers but this app put on the deployment. Pure.

In shares of what the deployment drains: a load of 1.0 uses all of it.
"""

from __future__ import annotations

import math
from collections import deque

HIGHEST_LOAD = 3.0
"""The load of a burst is capped here: the level shows the work that it brought."""

USUAL_SECONDS = 120.0
"""Memory of the usual load."""
USUAL_CLIP = 1.5
"""How much of a burst enters the usual load."""


class HeaderLoad:
    """Load from level readings: the changes of the level that our own calls do not explain.

    `adapt_seconds` is the time constant with which a surprise becomes load, `relax_seconds` the
    one with which the load returns to the usual one while no reading comes.
    """

    def __init__(self, *, adapt_seconds: float = 5.0, relax_seconds: float = 5.0) -> None:
        self._adapt = adapt_seconds
        self._relax = relax_seconds
        self.now = 0.5
        """Half, at first: neither idle nor full."""
        self.usual = 0.5

    def surprised(self, surprise: float, seconds: float) -> None:
        """The level was `surprise` seconds of drain above what was predicted `seconds` ago."""
        gain = (1.0 - math.exp(-seconds / self._adapt)) / seconds
        self.now = min(HIGHEST_LOAD, max(0.0, self.now + gain * surprise))
        weight = 1.0 - math.exp(-seconds / USUAL_SECONDS)
        self.usual += (min(self.now, USUAL_CLIP) - self.usual) * weight

    def unseen(self, seconds: float) -> None:
        """No reading for a while: the load goes back to the usual one."""
        weight = 1.0 - math.exp(-seconds / self._relax)
        self.now += (min(self.usual, 0.9) - self.now) * weight


class Spread:
    """How the load of short time spans varies: mean and standard deviation, with forgetting."""

    def __init__(self, *, memory: float = 120.0) -> None:
        self._memory = memory
        self.count = 0.0
        self.mean = 0.0
        self._square = 0.0

    def add(self, value: float) -> None:
        self.count = min(self._memory, self.count + 1.0)
        weight = 1.0 / self.count
        self.mean += weight * (value - self.mean)
        self._square += weight * (value * value - self._square)

    @property
    def evidence(self) -> tuple[float, ...]:
        """All that is remembered, for a successor in another process."""
        return (self.count, self.mean, self._square)

    def go_on_from(self, evidence: tuple[float, ...]) -> None:
        """Take over what another process has seen."""
        if len(evidence) == 3:
            self.count, self.mean, self._square = evidence

    @property
    def deviation(self) -> float:
        return math.sqrt(max(0.0, self._square - self.mean * self.mean))


class MinuteLoads:
    """The interactive load of the newest minutes of the metric."""

    def __init__(self) -> None:
        self._loads: deque[tuple[float, float]] = deque(maxlen=8)

    def put(self, ends_at: float, load: float) -> None:
        """A minute that is known already is replaced."""
        self._loads = deque(
            sorted([*(one for one in self._loads if one[0] != ends_at), (ends_at, load)])[-8:],
            maxlen=8,
        )

    @property
    def expected(self) -> float:
        """The mean of the last three minutes."""
        newest = [load for _, load in self._loads][-3:]
        return sum(newest) / len(newest) if newest else 0.5

    @property
    def deviation(self) -> float:
        """Standard deviation of the last five minutes. One or two minutes are too few: then it is
        0.2."""
        newest = [load for _, load in self._loads][-5:]
        if len(newest) < 3:
            return 0.2
        mean = sum(newest) / len(newest)
        return math.sqrt(sum((load - mean) ** 2 for load in newest) / len(newest))
