"""What went into the bucket, by short windows of time, and the level that follows from it. Pure.

Late knowledge is the rule here: a usage event is seconds old, a minute of the metric minutes, and a
header may tell of the moment its call was admitted. So what is known is kept by the time it speaks
of, and the level is played again from where it was last certain. Amounts are seconds of drain: work
over what the deployment is set to drain per second.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS
from ptu_optimizer.capacity.signals.usage import WINDOW_SECONDS

KEEP_SECONDS = 420.0
"""The oldest minute of the metric that is still used is about five minutes old."""

PLAYED_MINUTES_KEPT = 8
"""Of how many minutes the course of the level is kept: KEEP_SECONDS, and the one that is begun."""

RECENT_SENDS = 1_024
"""Sends and corrections of the last seconds; only those of a single window are ever looked at."""


@dataclass(frozen=True, slots=True)
class Played:
    """The course of the level between two times."""

    level: float
    """At the end."""
    mean: float
    lowest: float
    busy: float
    """Seconds in which something was drained."""


class Timeline:
    """Inflow of our own calls (here and in other processes) and, where known, of the others'."""

    def __init__(self) -> None:
        self._own: dict[int, float] = {}
        self._others: dict[int, float] = {}
        self._parts: dict[tuple[str, int], float] = {}
        """What each record said of a window: one that comes again replaces what it said."""
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT_SENDS)
        """Our newest sends and corrections to the moment, for what starts within a window."""
        self._pruned_at = -math.inf

    def add_own(self, at: float, amount: float) -> None:
        """A send (positive) or a correction at its end (negative) of this process."""
        number = _number(at)
        self._own[number] = self._own.get(number, 0.0) + amount
        self._recent.append((at, amount))

    def put(self, record_id: str, start: float, amount: float, *, ours: bool) -> float:
        """What a usage record says of a window; returns by how much that changes what was known."""
        number = _number(start)
        change = amount - self._parts.get((record_id, number), 0.0)
        self._parts[record_id, number] = amount
        side = self._own if ours else self._others
        side[number] = side.get(number, 0.0) + change
        return change

    def spread_others(self, start: float, end: float, rate: float) -> None:
        """All that is known of the others between two times is their mean `rate`."""
        for number in range(_number(start), _number(end)):
            self._others[number] = rate * WINDOW_SECONDS

    def others_between(self, start: float, end: float) -> list[float]:
        """Inflow of the others, window by window."""
        return [self._others.get(number, 0.0) for number in range(_number(start), _number(end))]

    def play(
        self,
        level: float,
        start: float,
        end: float,
        *,
        drain: float,
        known_until: float,
        others: float,
        gain: float = 1.0,
    ) -> Played:
        """The level at `end` if it was `level` at `start`.

        The others' inflow is what is known up to `known_until` (times `gain`); after it `others` a
        second, or what is known already if that is more.
        """
        if end <= start:
            return Played(level, level, level, 0.0)
        own, known = self._own, self._others
        first, last, horizon = _number(start), _number(end), _number(max(known_until, start))
        area, lowest, busy = 0.0, level, 0.0
        for number in range(first, last + 1):
            began = max(start, number * WINDOW_SECONDS)
            span = min(end, (number + 1) * WINDOW_SECONDS) - began
            if span <= 0.0:
                continue
            if number < horizon:
                inflow = gain * known.get(number, 0.0)
                if number == first:  # the part before `start` is in `level` already
                    inflow *= span / WINDOW_SECONDS
            else:
                # not complete yet: what is known of it may be more than was to be expected
                inflow = max(others * span, gain * known.get(number, 0.0))
            if number != first or began == number * WINDOW_SECONDS:
                inflow += own.get(number, 0.0)
            else:
                inflow += self._own_after(start, number)
            before = level
            level = max(0.0, level + inflow - drain * span)
            area += (before + level) * 0.5 * span
            lowest = min(lowest, level)
            busy += min(span, (before + inflow) / drain) if before + inflow > 0.0 else 0.0
        return Played(level, area / (end - start), lowest, busy)

    def _own_after(self, start: float, number: int) -> float:
        """Our own inflow of a window from `start` on, which lies in it."""
        total = 0.0
        for at, amount in reversed(self._recent):
            if at < start:
                break
            if _number(at) == number:
                total += amount
        return total

    def forget(self, now: float) -> None:
        """Drop what is older than anything that will be played again; cheap when called often."""
        if now - self._pruned_at < 60.0:
            return
        self._pruned_at = now
        oldest = _number(now - KEEP_SECONDS)
        self._own = _newer(self._own, oldest)
        self._others = _newer(self._others, oldest)
        self._parts = {key: part for key, part in self._parts.items() if key[1] >= oldest}


@dataclass(frozen=True, slots=True)
class PlayedMinute:
    """The course of the level in one minute, as far as it was played."""

    mean: float
    """Over the whole minute: what was not played of it counts as empty."""
    lowest: float
    busy: float
    """The share of the minute in which something was drained."""
    drained: float
    """How much was, over what the settings say that a minute drains."""


class PlayedMinutes:
    """The course of the level by minute, put together from pieces."""

    def __init__(self) -> None:
        self._minutes: dict[int, PlayedMinute] = {}

    def add(self, number: int, played: Played, *, seconds: float, drain: float) -> None:
        """A piece of so many seconds of that minute, played with a drain; pieces do not overlap."""
        known = self._minutes.get(number, _NOT_PLAYED)
        self._minutes[number] = PlayedMinute(
            mean=known.mean + played.mean * seconds / MINUTE_SECONDS,
            lowest=min(known.lowest, played.lowest),
            busy=known.busy + played.busy / MINUTE_SECONDS,
            drained=known.drained + drain * played.busy / MINUTE_SECONDS,
        )
        if len(self._minutes) > 2 * PLAYED_MINUTES_KEPT:
            self._minutes = {
                n: one for n, one in self._minutes.items() if n > number - PLAYED_MINUTES_KEPT
            }

    def of(self, number: int) -> PlayedMinute | None:
        """None if nothing of it was played."""
        return self._minutes.get(number)


_NOT_PLAYED = PlayedMinute(mean=0.0, lowest=math.inf, busy=0.0, drained=0.0)


def _newer(windows: Mapping[int, float], oldest: int) -> dict[int, float]:
    return {number: amount for number, amount in windows.items() if number >= oldest}


def _number(at: float) -> int:
    return math.floor(at / WINDOW_SECONDS)
