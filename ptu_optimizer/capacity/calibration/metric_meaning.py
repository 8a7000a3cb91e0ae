"""What Azure Monitor's utilization metric means, level or load. Pure.

It is not documented, so it is learned. A load is about the share of the minute in which the
bucket was not empty, as the replay shows. A level is far below that share while the bucket is far
from full, as this app keeps it.
"""

from __future__ import annotations

from ptu_optimizer.capacity.signals.minute import Meaning

LEAST_BUSY = 0.3
"""Quieter minutes say nothing: level and load are both near zero then."""

LIKE_LOAD = 0.6
UNLIKE_LOAD = 0.4
"""A value from LIKE_LOAD times the busy share to the busy share over LIKE_LOAD looks like a load:
if the settings are wrong, the deployment is busy for a shorter or longer time than replayed. A
value below UNLIKE_LOAD times the busy share looks like a level. Between them it may be either."""

CERTAIN = 3
MOST = 8
"""How many votes decide, and how many are kept, because the service may change what it reports."""


class MetricMeaning:
    def __init__(self) -> None:
        self._votes = 0
        self.meaning = Meaning.UNKNOWN

    def observe(self, *, utilization: float, busy: float) -> None:
        """One minute: its value of the metric, and the share of it that was busy in the replay."""
        if busy < LEAST_BUSY:
            return
        if LIKE_LOAD * busy <= utilization <= min(1.0, busy / LIKE_LOAD):
            self._votes = min(MOST, self._votes + 1)
        elif utilization < UNLIKE_LOAD * busy:
            # counts twice: so a level that was high enough to look like a load is soon corrected
            self._votes = max(-MOST, self._votes - 2)
        if self._votes >= CERTAIN:
            self.meaning = Meaning.LOAD
        elif self._votes <= -CERTAIN:
            self.meaning = Meaning.LEVEL
