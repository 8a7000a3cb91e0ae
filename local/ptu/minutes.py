"""One-minute records of a deployment, from which Azure Monitor's metrics are made. Pure.

The level is integrated exactly over its piecewise linear course, so a minute's average does not
depend on how often somebody looks.
"""

from __future__ import annotations

from math import inf

__all__ = ["MinuteRecord", "MinuteRecords"]

MINUTE = 60.0
"""Seconds: the time grain of every metric here (PT1M)."""


class MinuteRecord:
    """One minute of one deployment. Levels and loads are fractions (1.0 is 100 %)."""

    __slots__ = (
        "_area",
        "_lowest",
        "busy_seconds",
        "cached_tokens",
        "calls",
        "generated_tokens",
        "level_max",
        "prompt_tokens",
        "requests",
    )  # fmt: skip

    def __init__(self) -> None:
        self._area = 0.0
        self._lowest = inf
        self.level_max = 0.0
        self.busy_seconds = 0.0
        """Seconds of full-rate drain: the minute's load is this over 60."""
        self.requests: dict[tuple[int, bool], int] = {}
        """Calls by (status code, served as spillover)."""
        self.calls = 0
        """Calls that were served and have tokens below."""
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.generated_tokens = 0

    @property
    def level_average(self) -> float:
        return self._area / MINUTE

    @property
    def level_min(self) -> float:
        return 0.0 if self._lowest is inf else self._lowest

    @property
    def load(self) -> float:
        """The work drained in this minute over what could have been."""
        return self.busy_seconds / MINUTE

    def ran(self, *, start: float, end: float, seconds: float) -> None:
        """The level went from ``start`` to ``end`` in ``seconds``, in a straight line."""
        self._area += (start + end) * 0.5 * seconds
        self.level_max = max(self.level_max, start)
        self._lowest = min(self._lowest, end)

    def jumped(self, before: float, after: float) -> None:
        """A call was added or corrected."""
        low, high = (before, after) if before < after else (after, before)
        self.level_max = max(self.level_max, high)
        self._lowest = min(self._lowest, low)


class MinuteRecords:
    """The newest ``keep`` minutes that were not empty, by minute number (``now // 60``)."""

    __slots__ = ("_keep", "_newest", "_newest_number", "_records")

    def __init__(self, *, keep: int = 24 * 60) -> None:
        self._keep = keep
        self._records: dict[int, MinuteRecord] = {}
        self._newest_number = -1
        self._newest = MinuteRecord()

    def get(self, number: int) -> MinuteRecord | None:
        """The record of a minute, or None if nothing happened in it."""
        return self._records.get(number)

    def at(self, now: float) -> MinuteRecord:
        """The record of the minute that ``now`` is in, begun if there is none."""
        number = int(now // MINUTE)
        if number == self._newest_number:
            return self._newest
        record = self._records.get(number)
        if record is None:
            record = self._records[number] = MinuteRecord()
            if len(self._records) > self._keep:
                del self._records[next(iter(self._records))]
        self._newest_number, self._newest = number, record
        return record

    def drained(
        self, *, start: float, end: float, work: float, work_per_second: float, full: float
    ) -> None:
        """The bucket held ``work`` at ``start`` and drained, untouched, until ``end``."""
        # Once empty there is nothing to record: a minute that stays so has no data, and in one
        # that has some the step to zero was recorded when it was taken.
        while start < end and work > 0.0:
            stop = min(end, (start // MINUTE + 1.0) * MINUTE)
            empty_after = work / work_per_second
            if empty_after < stop - start:
                seconds, left = empty_after, 0.0
            else:
                seconds = stop - start
                left = max(0.0, work - work_per_second * seconds)
            record = self.at(start)
            record.ran(start=work / full, end=left / full, seconds=seconds)
            record.busy_seconds += seconds
            start, work = stop, left
