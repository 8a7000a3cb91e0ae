"""What the deployment really drains, over what the settings say: learned from surprises. Pure.

PTUs and the sizing table may be wrong, and a deployment may be resized. A drain that is believed
too high fills the bucket unseen, one that is believed too low leaves it idle.
"""

from __future__ import annotations

from collections import deque

from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS

DRAIN_RANGE = (0.3, 2.0)
"""A third to twice of what the settings say; beyond that they are about something else."""

LOADS_KEPT = 5
"""Minutes of which work and load are compared: calls that cross a boundary average out."""

ALWAYS_BUSY = 0.995
"""A load that tells nothing but that something was always there to be drained."""

BUSY_CORRECTION_SECONDS = 0.3
BUSY_STEP = 0.01
"""After such a minute: the level is a little higher than played, the drain a little lower."""

LOAD_RATE = 0.5
"""How much of what the last minutes tell of the drain is believed."""

LEAST_ERROR_SECONDS = 0.3
"""A lowest level that far above the played one is no accident of windows and rounding."""

LEVEL_RATE = 0.5
"""How much of such an error is put down to the drain of its minute."""

FIRST_STRIDE = 0.004
LONGEST_STRIDE = 0.03
"""A minute that touched the ground tells that the drain is not lower than believed, but not by how
much it is higher: it is raised by strides that double while this goes on."""

REFUSAL_RATE = 0.3
LEAST_REFUSAL_ERROR_SECONDS = 1.0
REFUSAL_SPAN_SECONDS = (20.0, 600.0)
"""A 429 where the level was believed lower: what is missing has gathered since the bucket was last
known to be full, within these bounds."""


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
        """A minute's load, and what was drained in it as played, over what the settings say that a
        minute drains: so much took that share of the minute.

        Returns by how much the level is higher than played, in seconds of drain.
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
        """A minute's lowest level as told and as played, both in seconds of drain: bursts and their
        end do not move it. Returns as `learn_from_load` does."""
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
        """Played with all that is known by now, a full bucket was `missing` seconds of drain short;
        it was last known to be full `seconds` before."""
        if missing > LEAST_REFUSAL_ERROR_SECONDS:
            shortest, longest = REFUSAL_SPAN_SECONDS
            span = max(shortest, min(longest, seconds))
            self.set(self.share - REFUSAL_RATE * missing / span)
