"""What Azure Monitor's utilization metric means, level or load. Pure.

Not documented, so it is learned: a load is about the share of the minute in which, by all that is
known of the calls, something was drained. A level is far below that as long as the bucket is far
from full, which is how we run it.
"""

from __future__ import annotations

from ptu_optimizer.capacity.signals.minute import Meaning

LEAST_BUSY = 0.3
"""Quieter minutes say nothing: level and load are both near zero then."""

LIKE_LOAD = 0.6
UNLIKE_LOAD = 0.4
"""Between the first part of the busy share and its inverse it looks like a load: where the settings
are wrong, what keeps a deployment busy keeps it busy for shorter or longer than played. Below the
second it looks like a level; between them it may be either."""

CERTAIN = 3
MOST = 8
"""Votes that decide, and how many are kept: a service may change what it reports."""


class MetricMeaning:
    def __init__(self) -> None:
        self._votes = 0
        self.meaning = Meaning.UNKNOWN

    def observe(self, *, utilization: float, busy: float) -> None:
        """One minute: what the metric told, and the share of it that was busy as we played it."""
        if busy < LEAST_BUSY:
            return
        if LIKE_LOAD * busy <= utilization <= min(1.0, busy / LIKE_LOAD):
            self._votes = min(MOST, self._votes + 1)
        elif utilization < UNLIKE_LOAD * busy:
            # twice: a level that is high enough to look like a load is soon corrected
            self._votes = max(-MOST, self._votes - 2)
        if self._votes >= CERTAIN:
            self.meaning = Meaning.LOAD
        elif self._votes <= -CERTAIN:
            self.meaning = Meaning.LEVEL
