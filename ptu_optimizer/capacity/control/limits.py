"""The operator's limits: how many calls at a time at which level. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SlowDownLimits:
    """At or below `lower` full speed, above it linearly fewer at a time, at `upper` none.

    The operator's contract, by priority; the level control works inside it.
    """

    lower: float
    upper: float
    max_concurrent_calls: int

    def allowed(self, level: float) -> int:
        """Calls at a time at this level."""
        if level <= self.lower:
            return self.max_concurrent_calls
        if level >= self.upper:
            return 0
        share = (self.upper - level) / (self.upper - self.lower)
        return max(1, int(self.max_concurrent_calls * share))
