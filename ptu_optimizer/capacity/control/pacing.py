"""When the next call may go: by level if the level is known, by rate if it is minutes old.
Pure.

Amounts are seconds of drain; docs/capacity.md derives the rules and has the figures behind the
constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TARGET_SECONDS = 0.7
"""The target level when headers show it: high enough to never be empty, low enough to leave
room for a burst."""

OLD_TARGET_SECONDS = 0.4
"""The target level when headers describe the moment of admission, which is seconds ago."""

EVENTS_TARGET = (0.15, 1.12)
EVENTS_CALM = 1.2
EVENTS_BURSTS = 2.3
"""The target level by usage events, which are seconds old, within EVENTS_TARGET. The more the
interactive load varies, the lower it is, because a burst of this moment is not seen yet."""

REFUND_SHARE = 0.35
"""The part of the expected refunds of our calls under way that is allowed on top of the target."""

CAUTION = 0.25
CAUTION_IN_REFUNDS = 0.45
CAUTION_HALVES_SECONDS = 600.0
"""By how much the target and the refunds are lowered just after interactive calls were refused,
and in which time that halves. A burst that the bucket could not hold is likely to come again."""

HIGHEST_TARGET_SECONDS = 4.0
"""The highest target with all of that: 40 % of a bucket of ten seconds."""

MINUTES_MARGIN = 0.055
MINUTES_SECONDS = 135.0
"""By minutes of the metric: a margin on the rate, and the time in which an error of the level
is to be corrected."""

LEAST_DEPTH_USED = 4.0
MOST_DEPTH_USED = 15.0
DEPTH_SHARE = 0.25
"""How high the level may be when it is minutes old: a quarter of the depth, between these two
bounds. If the depth is not known, it is the lower bound."""

TARGET_SHARE = 0.4
LOWEST_TARGET = -10.0
MOST_CREDIT_SECONDS = 0.2
"""Almost no credit is saved up, or the calls that wait behind a large one would leave together."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How well the level is known, and how recently interactive calls were refused."""

    by_events: bool
    at_admission: bool
    burst_deviation: float
    refused_ago: float = math.inf
    """Seconds since interactive calls were refused, by usage events or the metric."""


def target(known: Uncertainty) -> float:
    """The level to aim at, in seconds of drain."""
    if known.by_events:
        low, high = EVENTS_TARGET
        return min(high, max(low, EVENTS_CALM - EVENTS_BURSTS * known.burst_deviation))
    return OLD_TARGET_SECONDS if known.at_admission else TARGET_SECONDS


def ceiling(known: Uncertainty, *, refunds: float) -> float:
    """How high the level may be, given the expected refunds of our calls under way."""
    recent: float = 0.5 ** (known.refused_ago / CAUTION_HALVES_SECONDS)
    aim = target(known) * (1.0 - CAUTION * recent)
    share = REFUND_SHARE * (1.0 - CAUTION_IN_REFUNDS * recent)
    return aim + min(HIGHEST_TARGET_SECONDS - aim, share * refunds)


def rate_by_minutes(
    *,
    level: float,
    drain: float,
    others: float,
    deviation: float,
    age_seconds: float,
    depth_seconds: float | None,
) -> float:
    """Work per second over R, when the newest signal is minutes old.

    `deviation` is that of the interactive load by minutes. The error of the level that it
    causes grows with the square root of the time that has passed.
    """
    safe = LEAST_DEPTH_USED
    if depth_seconds is not None:
        safe = min(MOST_DEPTH_USED, max(safe, DEPTH_SHARE * depth_seconds))
    error = deviation * 60.0 * math.sqrt(max(1.0, age_seconds / 60.0))
    aim = max(LOWEST_TARGET, min(TARGET_SHARE * safe, safe - error))
    return max(0.0, drain - MINUTES_MARGIN - others + (aim - level) / MINUTES_SECONDS)


class Pace:
    """A rate with debt: a call of any size may go when there is no debt, and the next call
    waits until its debt is paid."""

    def __init__(self) -> None:
        self._credit = 0.0
        self._at = -math.inf

    def accrue(self, now: float, rate: float) -> None:
        """Add credit for the time since the last call of this method. After a pause, start at
        zero."""
        seconds = now - self._at
        self._credit = 0.0 if seconds > 5.0 else self._credit + rate * seconds
        self._credit = min(MOST_CREDIT_SECONDS, self._credit)
        self._at = now

    def spend(self, amount: float) -> None:
        self._credit -= amount

    def missing(self) -> float:
        """Seconds of drain until the next may go; 0 if it may."""
        return max(0.0, -self._credit)
