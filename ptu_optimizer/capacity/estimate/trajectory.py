"""The level at any time, replayed from the last moment at which it was certain. Pure.

Levels are in seconds of drain, times epoch seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS, minute_number
from ptu_optimizer.capacity.signals.usage import window_start

from .timeline import Played, PlayedMinute, PlayedMinutes, Timeline


@dataclass(frozen=True, slots=True)
class Anchor:
    """A time at which the level was certain, and what it was."""

    at: float
    level: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Flows:
    """The flows of the bucket that a replay assumes; see `Timeline.play`."""

    drain: float
    known_until: float
    others: float
    gain: float


class Trajectory:
    def __init__(self) -> None:
        self.timeline = Timeline()
        self.anchor = Anchor(-math.inf, 0.0)
        self._was_told = False
        """Until the deployment has reported a level, the anchor is only where our clock began."""
        self._minutes = PlayedMinutes()

    def begin(self, at: float, level: float) -> None:
        """Replay from here on. The level is not certain, but nothing better is known."""
        self.anchor = Anchor(at, level)

    def told(self, at: float, level: float) -> None:
        """The deployment has reported its level."""
        self.anchor, self._was_told = Anchor(at, level), True

    def since_told(self, at: float) -> float:
        """Seconds from the last certain level to `at`; infinite while no level is certain."""
        return at - self.anchor.at if self._was_told else math.inf

    def play(self, anchor: Anchor, end: float, flows: Flows) -> Played:
        return self.timeline.play(
            anchor.level,
            anchor.at,
            end,
            drain=flows.drain,
            known_until=flows.known_until,
            others=flows.others,
            gain=flows.gain,
        )

    def level_at(self, end: float, flows: Flows) -> float:
        return self.play(self.anchor, end, flows).level

    def settle(self, to: float, flows: Flows) -> None:
        """All inflow up to `to` is known now: replay from there from now on, and keep each
        minute's replay."""
        to = window_start(to)
        while self.anchor.at < to:
            start = self.anchor.at
            end = min(to, (minute_number(start) + 1) * MINUTE_SECONDS)
            played = self.play(self.anchor, end, flows)
            self._minutes.add(minute_number(start), played, seconds=end - start, drain=flows.drain)
            self.anchor = Anchor(end, played.level)

    def correct(self, error: float) -> None:
        """The bucket was fuller than the replay said, by `error`."""
        self.anchor = Anchor(self.anchor.at, max(0.0, self.anchor.level + error))

    def minute(self, number: int) -> PlayedMinute | None:
        """The replay of that minute; None if no part of it was replayed."""
        return self._minutes.of(number)
