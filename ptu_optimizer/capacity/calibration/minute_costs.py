"""What calls cost, by the minute in which they ended, to be compared with the metric. Pure.

The metric reports a minute one to three minutes later, for the calls of all callers together. The
cost of our own calls is subtracted from it. Costs are in seconds of drain (work / R); a minute is
named by its number (`minute_number`).
"""

from __future__ import annotations

from collections.abc import Iterable

from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS, minute_number
from ptu_optimizer.capacity.signals.usage import UsageWindows

COST_MINUTES_KEPT = 8
"""The metric reports a minute within five minutes at the latest."""

MOST_WINDOWS = 4_096
"""Above this many windows, what single records reported of old minutes is dropped."""


class MinuteCosts:
    def __init__(self) -> None:
        self._own: dict[int, float] = {}
        self._taken_over: dict[int, float] = {}
        """What another process had counted of the calls of all processes, ours included."""
        self._told: dict[int, float] = {}
        self._refused: dict[int, float] = {}
        self._refused_taken_over: dict[int, float] = {}
        self._counted: dict[tuple[str, float], tuple[int, float, int]] = {}
        """What each record reported of a window. A record that comes again replaces that."""

    def ended(self, at: float, cost: float) -> None:
        """A call of this process ended."""
        _add(self._own, minute_number(at), cost)

    def refused(self, at: float) -> None:
        """A call of this process was answered 429."""
        _add(self._refused, minute_number(at), 1)

    def count(self, usage: UsageWindows, *, work_per_second: float, now: float) -> None:
        """Windows of other processes' calls, or of interactive ones."""
        for window in usage.windows:
            number, key = minute_number(window.start), (usage.record_id, window.start)
            cost = window.used / work_per_second
            _, cost_before, refused_before = self._counted.get(key, (number, 0.0, 0))
            self._counted[key] = (number, cost, window.refused)
            _add(self._own if usage.ours else self._told, number, cost - cost_before)
            if usage.ours and window.refused != refused_before:
                _add(self._refused, number, window.refused - refused_before)
        if len(self._counted) > MOST_WINDOWS:
            oldest = minute_number(now) - COST_MINUTES_KEPT + 1
            self._counted = {k: v for k, v in self._counted.items() if v[0] >= oldest}

    def own_share(self, number: int) -> float:
        """The part of that minute's drain that our calls used, here and in other processes."""
        return self._own_cost(number) / MINUTE_SECONDS

    def told_share(self, number: int) -> float:
        """The part that interactive calls used, as far as usage events report it."""
        return self._told.get(number, 0.0) / MINUTE_SECONDS

    def own_refused(self, number: int) -> int:
        """How many of our calls were answered 429 in that minute, here and in other processes."""
        known = max(self._refused.get(number, 0.0), self._refused_taken_over.get(number, 0.0))
        return round(known)

    @property
    def own_minutes(self) -> tuple[tuple[int, float], ...]:
        """The newest minutes, for a successor in another process."""
        numbers = sorted(self._own.keys() | self._taken_over.keys())[-COST_MINUTES_KEPT:]
        return tuple((number, self._own_cost(number)) for number in numbers)

    @property
    def own_refused_minutes(self) -> tuple[tuple[int, float], ...]:
        """The same of our calls that were answered 429: minutes that had some."""
        numbers = sorted(self._refused.keys() | self._refused_taken_over.keys())[
            -COST_MINUTES_KEPT:
        ]
        counts = ((number, float(self.own_refused(number))) for number in numbers)
        return tuple((number, count) for number, count in counts if count > 0.0)

    def take_over(
        self, minutes: Iterable[tuple[int, float]], *, refused: Iterable[tuple[int, float]] = ()
    ) -> None:
        """Take over what another process knew of our calls."""
        self._taken_over = dict(minutes)
        self._refused_taken_over = dict(refused)

    def _own_cost(self, number: int) -> float:
        """If both know a minute, the larger cost is the more complete one."""
        return max(self._own.get(number, 0.0), self._taken_over.get(number, 0.0))


def _add(by_minute: dict[int, float], number: int, amount: float) -> None:
    by_minute[number] = by_minute.get(number, 0.0) + amount
    if len(by_minute) > 2 * COST_MINUTES_KEPT:
        for old in [one for one in by_minute if one < number - COST_MINUTES_KEPT]:
            del by_minute[old]
