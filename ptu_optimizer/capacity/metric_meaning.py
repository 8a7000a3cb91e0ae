"""What Azure Monitor's utilization metric means, level or load. Pure.

Not documented, so it is learned: a load is about the share of the minute in which, by all that is
known of the calls, something was drained. A level is far below that as long as the bucket is far
from full, which is how we run it.
"""

from __future__ import annotations

from enum import StrEnum

LEAST_BUSY = 0.3
"""Quieter minutes say nothing: level and load are both near zero then."""

LIKE_LOAD = 0.15
UNLIKE_LOAD = 0.3
"""Up to the first distance from the busy share it looks like a load, beyond the second, below it,
like a level; between them it may be either."""

CERTAIN = 3
MOST = 8
"""Votes that decide, and how many are kept: a service may change what it reports."""


class Meaning(StrEnum):
    UNKNOWN = "unknown"
    LEVEL = "level"
    LOAD = "load"


class MetricMeaning:
    def __init__(self) -> None:
        self._votes = 0
        self.meaning = Meaning.UNKNOWN

    def observe(self, *, utilization: float, busy: float) -> None:
        """One minute: what the metric told, and the share of it that was busy as we played it."""
        if busy < LEAST_BUSY:
            return
        if abs(utilization - busy) <= LIKE_LOAD:
            self._votes = min(MOST, self._votes + 1)
        elif utilization < busy - UNLIKE_LOAD:
            # twice: a level that is high enough to look like a load is soon corrected
            self._votes = max(-MOST, self._votes - 2)
        if self._votes >= CERTAIN:
            self.meaning = Meaning.LOAD
        elif self._votes <= -CERTAIN:
            self.meaning = Meaning.LEVEL
