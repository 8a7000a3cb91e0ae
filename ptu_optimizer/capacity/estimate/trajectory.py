"""The level, played from where it was last certain to any later time. Pure.

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
    """What is held true of the bucket's flows meanwhile; see `Timeline.play`."""

    drain: float
    known_until: float
    others: float
    gain: float


class Trajectory:
    def __init__(self) -> None:
        self.timeline = Timeline()
        self.anchor = Anchor(-math.inf, 0.0)
        self._was_told = False
        """Until the deployment has told a level, the anchor is but where our clock began."""
        self._minutes = PlayedMinutes()

    def begin(self, at: float, level: float) -> None:
        """Play from here on; it is not certain, there is only nothing better."""
        self.anchor = Anchor(at, level)

    def told(self, at: float, level: float) -> None:
        """The deployment has told its level."""
        self.anchor, self._was_told = Anchor(at, level), True

    def since_told(self, at: float) -> float:
        """How much later than what is certain `at` is; infinite while nothing is."""
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
        """All that happened up to `to` is known by now: play from there from now on, and keep the
        course of each minute."""
        to = window_start(to)
        while self.anchor.at < to:
            start = self.anchor.at
            end = min(to, (minute_number(start) + 1) * MINUTE_SECONDS)
            played = self.play(self.anchor, end, flows)
            self._minutes.add(minute_number(start), played, seconds=end - start, drain=flows.drain)
            self.anchor = Anchor(end, played.level)

    def correct(self, error: float) -> None:
        """The bucket was fuller than played, by `error`."""
        self.anchor = Anchor(self.anchor.at, max(0.0, self.anchor.level + error))

    def minute(self, number: int) -> PlayedMinute | None:
        """The course in that minute; None if nothing of it was played."""
        return self._minutes.of(number)
