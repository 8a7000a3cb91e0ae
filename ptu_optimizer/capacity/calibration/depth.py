"""How deep the bucket is, where the metric is a level. Pure.

The depth is not documented, and no rule needs it. A bucket that is known to be deep only allows a
higher level when the belief is minutes old. The depth is learned as the ratio of two levels of a
minute: the replayed one, in seconds of drain, and the one that the metric reports.
"""

from __future__ import annotations

FORGET = 0.93
"""For each minute: about a quarter of an hour is remembered."""

LEAST_WEIGHT = 0.004
"""Sum of squared levels: three minutes of 4 %. Below it the quotient is mostly noise."""


class BucketDepth:
    def __init__(self) -> None:
        self._product = 0.0
        self._square = 0.0

    def observe(self, *, seconds: float, level: float) -> None:
        """One minute: its mean replayed level, and the level that the metric reports."""
        self._product = FORGET * self._product + seconds * level
        self._square = FORGET * self._square + level * level

    @property
    def evidence(self) -> tuple[float, ...]:
        """All that is remembered, for a successor in another process."""
        return (self._product, self._square)

    def go_on_from(self, evidence: tuple[float, ...]) -> None:
        """Take over what another process has learned."""
        if len(evidence) == 2:
            self._product, self._square = evidence

    @property
    def seconds(self) -> float | None:
        """Seconds of drain that fill the bucket; None if nothing is known."""
        return self._product / self._square if self._square >= LEAST_WEIGHT else None
