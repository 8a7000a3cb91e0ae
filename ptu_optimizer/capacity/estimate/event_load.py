"""What usage events show of interactive traffic: whether they come, how late, and its load. Pure.

The load is in shares of what the deployment drains. Events alone would let an error grow without
limit, so what they leave out is learned from the minutes of the metric.
"""

from __future__ import annotations

import math
from collections import deque

from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS

from .interactive_load import Spread
from .timeline import Timeline

EVENTS_SILENT_SECONDS = 300.0
"""For this long, no usage events mean no interactive calls, unless the metric shows some."""

LAG_SECONDS = 10.0
"""The delay of usage events is the largest one of the last so many seconds."""

LAGS_KEPT = 64
"""How many delays are kept: those of LAG_SECONDS, at a few reads a second."""

BLOCK_SECONDS = 5.0
"""The interactive load of usage events is a mean over this time."""

GAIN_RANGE = (0.5, 4.0)
"""Bounds of all interactive work over what the events report of it: from estimates that are twice
too high, to one gateway of four that reports."""

GAIN_RATE = 0.1
"""For each minute. It is small, because many calls that end in a minute began before it."""

LEAST_LOAD = 0.05
"""A minute with less interactive work than this teaches nothing."""

DOUBTFUL = 0.2
"""If the events report less than this share of a minute's work, they are not believed."""


class EventLoad:
    """The usage events of one deployment, however many gateways send them."""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, float]] = deque(maxlen=LAGS_KEPT)
        """When records with new events were read, and how old the newest event was then."""
        self._trusted = False
        self._read_until = -math.inf
        self._measured_until = -math.inf
        self.until = -math.inf
        """The time of the newest event, epoch seconds."""
        self.load = 0.0
        """The interactive load of the last complete block."""
        self.bursts = Spread()
        """How the interactive load varies from one block of BLOCK_SECONDS to the next."""
        self.gain = 1.0
        """All interactive work over what the events report of it."""

    def alive(self, now: float) -> bool:
        """Whether events show the interactive load."""
        return self._trusted and now - self.until <= EVENTS_SILENT_SECONDS

    def heard(self, now: float, *, until: float) -> None:
        """A record came whose newest event happened at `until`."""
        self._trusted = True
        self.until = max(self.until, min(until, now))

    def horizon(self, now: float) -> float:
        """The time up to which the events are complete, judged by their recent delays."""
        lag = max((lag for at, lag in self._lags if now - at <= LAG_SECONDS), default=None)
        if lag is None:
            lag = max((lag for _, lag in self._lags), default=0.0)
        return now - lag

    def read(self, now: float) -> None:
        """Note the delay after all present records have been read. It is the age of the newest
        event; history that is read at once does not count."""
        if self.until > self._read_until:
            self._read_until = self.until
            self._lags.append((now, now - self.until))

    def measure(self, timeline: Timeline, *, horizon: float) -> None:
        """Compute the interactive load up to `horizon`, and add each whole block once to
        `bursts`."""
        if horizon - self._measured_until > MINUTE_SECONDS:
            # nothing was read meanwhile: the load is unknown, not zero
            self._measured_until = math.floor(horizon / BLOCK_SECONDS) * BLOCK_SECONDS
        while self._measured_until + BLOCK_SECONDS <= horizon:
            end = self._measured_until + BLOCK_SECONDS
            inflow = timeline.others_between(self._measured_until, end)
            self.bursts.add(sum(inflow) / BLOCK_SECONDS)
            self._measured_until = end
        recent = timeline.others_between(horizon - BLOCK_SECONDS, horizon)
        self.load = max(0.0, self.gain * sum(recent) / BLOCK_SECONDS)

    def hold_against(self, *, told: float, metric: float) -> None:
        """Compare the interactive load of one minute by the events (`told`) and by the metric."""
        if not self._trusted or metric <= LEAST_LOAD:
            return
        if told < DOUBTFUL * metric:
            self._trusted = told > 0.0
            return
        low, high = GAIN_RANGE
        self.gain += GAIN_RATE * (min(high, max(low, metric / told)) - self.gain)

    def go_on_from(self, *, gain: float, until: float, bursts: tuple[float, ...]) -> None:
        """Take over what another process has learned; `until` is 0 if it does not believe the
        events."""
        low, high = GAIN_RANGE
        self.gain = min(high, max(low, gain))
        self.bursts.go_on_from(bursts)
        if until > 0.0:
            self._trusted = True
            self.until = max(self.until, until)
            self._read_until = max(self._read_until, until)
