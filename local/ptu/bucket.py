"""The leaky bucket behind a provisioned deployment. Pure: no I/O, no clock.

Microsoft describes utilization as "a variation of the leaky bucket algorithm" (docs/platform.md,
"Provisioned deployments"): calls are refused at 100 %, otherwise an estimate is added at arrival,
corrected to the actual cost at completion, and drained continuously in proportion to the
deployment's PTUs.

Units: *work* is input-equivalent tokens, times are seconds, levels are fractions (1.0 is 100 %).
"""

from __future__ import annotations

import math

__all__ = ["PtuBucket"]


class PtuBucket:
    """Work that was admitted and not yet drained.

    ``work_per_second`` is R, what the deployment drains. ``window_seconds`` is W: the bucket is
    full (100 %) at R·W. Microsoft does not document W, so it is a setting here.

    Time never runs backwards: a ``now`` earlier than the last one raises ``ValueError``.
    """

    __slots__ = ("_at", "_drained", "_full", "_rate", "_window", "_work")

    def __init__(self, *, work_per_second: float, window_seconds: float, now: float = 0.0) -> None:
        self._work = 0.0
        self._drained = 0.0
        self._at = now
        self._window = _positive("window_seconds", window_seconds)
        self._rate = _positive("work_per_second", work_per_second)
        self._full = self._rate * self._window

    @property
    def work_per_second(self) -> float:
        """R: the work drained per second while the bucket is not empty."""
        return self._rate

    @property
    def full(self) -> float:
        """R·W: the work at which the level is 1.0."""
        return self._full

    @property
    def at(self) -> float:
        """The latest time the bucket was advanced to, in seconds."""
        return self._at

    @property
    def work(self) -> float:
        """The work held at ``at``."""
        return self._work

    @property
    def drained(self) -> float:
        """All the work drained up to ``at``."""
        return self._drained

    def advance(self, now: float) -> float:
        """Drain up to ``now`` and return the work that drained meanwhile."""
        elapsed = now - self._at
        if elapsed < 0:
            raise ValueError(f"time ran backwards: bucket is at {self._at!r}, now is {now!r}")
        drained = self._rate * elapsed
        drained = min(drained, self._work)
        self._work -= drained
        self._drained += drained
        self._at = now
        return drained

    def level(self, now: float) -> float:
        """The level at ``now`` (1.0 is 100 %, and it can be above), without changing anything."""
        elapsed = now - self._at
        if elapsed < 0:
            raise ValueError(f"time ran backwards: bucket is at {self._at!r}, now is {now!r}")
        work = self._work - self._rate * elapsed
        return work / self._full if work > 0.0 else 0.0

    def is_full(self) -> bool:
        """True at or above 100 % at ``at``: the condition under which Azure answers 429."""
        return self._work >= self._full

    def change(self, work: float) -> float:
        """Add ``work`` (negative to give back) at ``at``, floored at an empty bucket.

        Returns the change that took place: a refund larger than what is left gives back what is
        left, because the rest has drained already.
        """
        before = self._work
        after = before + work
        self._work = after if after > 0.0 else 0.0
        return self._work - before

    def retry_after_ms(self) -> int:
        """Whole milliseconds after which the level is below 100 %; 0 if it is below at ``at``."""
        if self._work < self._full:
            return 0
        # One more than the floor, because at exactly 100 % a call is still refused; a nanosecond's
        # allowance, because the caller's clock and our division round differently.
        return math.floor((self._work - self._full) / self._rate * 1000.0 + 1e-6) + 1

    def resize(self, *, work_per_second: float) -> None:
        """Change the size at ``at``: the work held stays, so the level changes with the size."""
        self._rate = _positive("work_per_second", work_per_second)
        self._full = self._rate * self._window

    def empty(self, *, now: float) -> None:
        """Start again with nothing held and nothing drained."""
        self._work = self._drained = 0.0
        self._at = now


def _positive(name: str, value: float) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be a positive finite number, not {value!r}")
    return float(value)
