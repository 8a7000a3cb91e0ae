"""The true drain of the deployment over the drain of the settings, learned from errors. Pure.

PTUs and the sizing table may be wrong, and a deployment may be resized. If the drain is believed
too high, the bucket fills unseen; if it is believed too low, capacity stays idle.
"""

from __future__ import annotations

from collections import deque

from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS

DRAIN_RANGE = (0.3, 2.0)
"""From a third to twice the drain of the settings. Beyond that, the settings must be about
something else."""

LOADS_KEPT = 5
"""How many minutes of work and load are compared, so that calls that cross a minute's end average
out."""

ALWAYS_BUSY = 0.995
"""From this load on, a minute shows only that the bucket was never empty."""

BUSY_CORRECTION_SECONDS = 0.3
BUSY_STEP = 0.01
"""After such a minute the level is set a little higher than replayed, and the drain a little
lower."""

LOAD_RATE = 0.5
"""How far the drain moves toward what the last minutes show."""

LEAST_ERROR_SECONDS = 0.3
"""If the lowest level is further above the replayed one, it is not an effect of windows and
rounding."""

LEVEL_RATE = 0.5
"""The part of such an error that is attributed to the drain of its minute."""

FIRST_STRIDE = 0.004
LONGEST_STRIDE = 0.03
"""If the level reached zero within a minute, the drain is at least what we assume, but we cannot
tell how much higher. It is raised in steps that double as long as this repeats."""

REFUSAL_RATE = 0.3
LEAST_REFUSAL_ERROR_SECONDS = 1.0
REFUSAL_SPAN_SECONDS = (20.0, 600.0)
"""After a 429 at a level that was believed lower: the error built up since the bucket was last
known to be full. That time is taken within these bounds."""


class Drain:
    """`share` is 1.0 if the settings are right."""

    def __init__(self) -> None:
        self.share = 1.0
        self._loads: deque[tuple[float, float]] = deque(maxlen=LOADS_KEPT)
        self._stride = FIRST_STRIDE

    def set(self, share: float) -> None:
        low, high = DRAIN_RANGE
        self.share = min(high, max(low, share))

    def learn_from_load(self, load: float, *, drained: float) -> float:
        """Learn from a minute's load. `drained` is what the replay drained in it, over what a
        minute drains by the settings; draining that took the share `load` of the minute.

        Returns by how much the level is higher than replayed, in seconds of drain.
        """
        self._loads.append((drained, load))
        if load > ALWAYS_BUSY:
            self.set(self.share - BUSY_STEP)
            return BUSY_CORRECTION_SECONDS
        took = sum(one for _, one in self._loads)
        if took > 0.0:
            told = sum(one for one, _ in self._loads) / took
            self.set(self.share + LOAD_RATE * (told - self.share))
        return 0.0

    def learn_from_level(self, seen_lowest: float, *, played_lowest: float) -> float:
        """Learn from a minute's lowest level, as reported and as replayed, in seconds of drain.
        Bursts do not move it. Returns the same as `learn_from_load`."""
        error = seen_lowest - played_lowest
        if error > LEAST_ERROR_SECONDS:
            self.set(self.share - LEVEL_RATE * error / MINUTE_SECONDS)
            self._stride = FIRST_STRIDE
            return error
        if seen_lowest > 0.0:
            return 0.0
        if self.share < 1.0:
            self._stride = min(LONGEST_STRIDE, 2 * self._stride)
            self.set(min(1.0, self.share + self._stride))
        return -played_lowest

    def learn_from_refusal(self, missing: float, *, seconds: float) -> None:
        """Learn from a refusal. The replayed level was `missing` seconds of drain below full, and
        the bucket was last known to be full `seconds` before."""
        if missing > LEAST_REFUSAL_ERROR_SECONDS:
            shortest, longest = REFUSAL_SPAN_SECONDS
            span = max(shortest, min(longest, seconds))
            self.set(self.share - REFUSAL_RATE * missing / span)
