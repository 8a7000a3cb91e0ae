"""The inflow of the bucket by short time windows, and the level that follows from it. Pure.

Signals come late: a usage event after seconds, a minute of the metric after minutes, and a header
may describe the moment when its call was admitted. So each signal is kept under the time that it
describes, and the level is replayed from the last moment at which it was certain. Amounts are
seconds of drain: work over the drain per second of the settings.
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
"""For how many minutes the replayed level is kept: KEEP_SECONDS, and the current one."""

RECENT_SENDS = 1_024
"""How many of the last sends and corrections are kept. Those of one window are enough."""


@dataclass(frozen=True, slots=True)
class Played:
    """The replayed level between two times."""

    level: float
    """At the end."""
    mean: float
    lowest: float
    busy: float
    """Seconds in which the bucket was not empty."""


class Timeline:
    """The inflow of our own calls, here and in other processes, and the interactive inflow that
    is known."""

    def __init__(self) -> None:
        self._own: dict[int, float] = {}
        self._others: dict[int, float] = {}
        self._parts: dict[tuple[str, int], float] = {}
        """What each record reported of a window. A record that comes again replaces that."""
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT_SENDS)
        """Our newest sends and corrections with their exact times, for a replay that starts
        within a window."""
        self._pruned_at = -math.inf

    def add_own(self, at: float, amount: float) -> None:
        """A send (positive) or a correction at its end (negative) of this process."""
        number = _number(at)
        self._own[number] = self._own.get(number, 0.0) + amount
        self._recent.append((at, amount))

    def put(self, record_id: str, start: float, amount: float, *, ours: bool) -> float:
        """Store what a usage record reports of a window. Returns by how much the known inflow
        changes."""
        number = _number(start)
        change = amount - self._parts.get((record_id, number), 0.0)
        self._parts[record_id, number] = amount
        side = self._own if ours else self._others
        side[number] = side.get(number, 0.0) + change
        return change

    def spread_others(self, start: float, end: float, rate: float) -> None:
        """Set the interactive inflow between two times to its mean `rate`."""
        for number in range(_number(start), _number(end)):
            self._others[number] = rate * WINDOW_SECONDS

    def others_between(self, start: float, end: float) -> list[float]:
        """The interactive inflow, window by window."""
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

        Up to `known_until` the interactive inflow is what is known, times `gain`. After it, it is
        `others` a second, or what is known already if that is more.
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
                # not complete yet, but what is known may already be more than expected
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
        """Our own inflow of a window from `start` on; `start` lies in the window."""
        total = 0.0
        for at, amount in reversed(self._recent):
            if at < start:
                break
            if _number(at) == number:
                total += amount
        return total

    def forget(self, now: float) -> None:
        """Drop what is too old to be replayed. Cheap when called often."""
        if now - self._pruned_at < 60.0:
            return
        self._pruned_at = now
        oldest = _number(now - KEEP_SECONDS)
        self._own = _newer(self._own, oldest)
        self._others = _newer(self._others, oldest)
        self._parts = {key: part for key, part in self._parts.items() if key[1] >= oldest}


@dataclass(frozen=True, slots=True)
class PlayedMinute:
    """The replayed level in one minute, as far as it was replayed."""

    mean: float
    """Over the whole minute. A part that was not replayed counts as empty."""
    lowest: float
    busy: float
    """The share of the minute in which the bucket was not empty."""
    drained: float
    """What was drained, over what a minute drains by the settings."""


class PlayedMinutes:
    """The replayed level by minute, put together from pieces."""

    def __init__(self) -> None:
        self._minutes: dict[int, PlayedMinute] = {}

    def add(self, number: int, played: Played, *, seconds: float, drain: float) -> None:
        """Add a piece of that minute, `seconds` long, replayed with `drain`. Pieces do not
        overlap."""
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
        """None if no part of it was replayed."""
        return self._minutes.get(number)


_NOT_PLAYED = PlayedMinute(mean=0.0, lowest=math.inf, busy=0.0, drained=0.0)


def _newer(windows: Mapping[int, float], oldest: int) -> dict[int, float]:
    return {number: amount for number, amount in windows.items() if number >= oldest}


def _number(at: float) -> int:
    return math.floor(at / WINDOW_SECONDS)
