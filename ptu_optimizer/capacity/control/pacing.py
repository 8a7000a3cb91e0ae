"""When the next call may go: by the level where it is known, by rate where it is minutes old. Pure.

Amounts are seconds of drain; docs/capacity.md derives the rules and has the figures behind the
constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TARGET_SECONDS = 0.7
"""The level that is aimed at by headers: never empty, and nobody's cushion."""

OLD_TARGET_SECONDS = 0.4
"""The same where headers tell of the moment of admission, seconds ago."""

EVENTS_TARGET = (0.15, 1.12)
EVENTS_CALM = 1.2
EVENTS_BURSTS = 2.3
"""By usage events, seconds old: the burstier the others, the lower, for a burst of this moment is
not seen yet."""

REFUND_SHARE = 0.35
"""How much of what our calls under way will give back is allowed on top of the target."""

CAUTION = 0.25
CAUTION_IN_REFUNDS = 0.45
CAUTION_HALVES_SECONDS = 600.0
"""How much less both are just after others were refused, and in how long that wears off by half:
bursts that the bucket could not hold come again."""

HIGHEST_TARGET_SECONDS = 4.0
"""With all of that: a level of 40 % in a bucket of ten seconds."""

MINUTES_MARGIN = 0.055
MINUTES_SECONDS = 135.0
"""By minutes of the metric: a margin on the rate, and in how many seconds an error of the level is
to be gone."""

LEAST_DEPTH_USED = 4.0
MOST_DEPTH_USED = 15.0
DEPTH_SHARE = 0.25
"""How high the level may be believed minutes later: a quarter of the depth where that was learned,
within these seconds; the least where it was not."""

TARGET_SHARE = 0.4
LOWEST_TARGET = -10.0
MOST_CREDIT_SECONDS = 0.2
"""Nothing is saved up: calls that wait for a large one would leave together."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How well the level is known, and how often it surprised others."""

    by_events: bool
    at_admission: bool
    burst_deviation: float
    refused_ago: float = math.inf
    """Seconds since others were refused, as usage events or the metric tell."""


def target(known: Uncertainty) -> float:
    """The level to aim at, in seconds of drain."""
    if known.by_events:
        low, high = EVENTS_TARGET
        return min(high, max(low, EVENTS_CALM - EVENTS_BURSTS * known.burst_deviation))
    return OLD_TARGET_SECONDS if known.at_admission else TARGET_SECONDS


def ceiling(known: Uncertainty, *, refunds: float) -> float:
    """How high the level may be, with what our calls under way will probably give back."""
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
    """Work per second over R, where the newest knowledge is minutes old.

    `deviation` is that of the others' minutes; over the time that has passed since, it has made
    an error of the level that grows with the root of that time.
    """
    safe = LEAST_DEPTH_USED
    if depth_seconds is not None:
        safe = min(MOST_DEPTH_USED, max(safe, DEPTH_SHARE * depth_seconds))
    error = deviation * 60.0 * math.sqrt(max(1.0, age_seconds / 60.0))
    aim = max(LOWEST_TARGET, min(TARGET_SHARE * safe, safe - error))
    return max(0.0, drain - MINUTES_MARGIN - others + (aim - level) / MINUTES_SECONDS)


class Pace:
    """A rate with debt: who may go goes, however large, and the next waits until it is paid."""

    def __init__(self) -> None:
        self._credit = 0.0
        self._at = -math.inf

    def accrue(self, now: float, rate: float) -> None:
        """Credit for the time since the last call of this; after a pause it starts afresh."""
        seconds = now - self._at
        self._credit = 0.0 if seconds > 5.0 else self._credit + rate * seconds
        self._credit = min(MOST_CREDIT_SECONDS, self._credit)
        self._at = now

    def spend(self, amount: float) -> None:
        self._credit -= amount

    def missing(self) -> float:
        """Seconds of drain until the next may go; 0 if it may."""
        return max(0.0, -self._credit)
