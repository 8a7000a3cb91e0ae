"""What usage events tell of the others: whether they come at all, how late, and which load. Pure.

The load is in shares of what the deployment drains. Events alone are an open integrator: what they
leave out is learned from the minutes of the metric.
"""

from __future__ import annotations

import math
from collections import deque

from ptu_optimizer.capacity.signals.minute import MINUTE_SECONDS

from .interactive_load import Spread
from .timeline import Timeline

EVENTS_SILENT_SECONDS = 300.0
"""So long a silent usage stream is taken for silent clients, if the metric does not object."""

LAG_SECONDS = 10.0
"""How late usage events are is told by those of so many seconds."""

LAGS_KEPT = 64
"""Of so many reads at most: those of LAG_SECONDS, at a few a second."""

BLOCK_SECONDS = 5.0
"""The stretch over which the others' present load is taken from usage events."""

GAIN_RANGE = (0.5, 4.0)
"""How far all interactive work may be from what the events tell of it: estimates that are twice too
high, or one gateway of four that reports."""

GAIN_RATE = 0.1
"""A minute: much of what a single one tells is of calls that ended in it and began before."""

LEAST_LOAD = 0.05
"""Of a minute with less work of others nothing is concluded."""

DOUBTFUL = 0.2
"""Events that tell less than this share of a minute's work do not tell of it at all."""


class EventLoad:
    """The usage events of one deployment, however many gateways send them."""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, float]] = deque(maxlen=LAGS_KEPT)
        """When records were read that tell of new events, and how much older the newest was."""
        self._trusted = False
        self._read_until = -math.inf
        self._measured_until = -math.inf
        self.until = -math.inf
        """The time of the newest event, epoch seconds."""
        self.load = 0.0
        """The others' load of the last block that is complete."""
        self.bursts = Spread()
        """Deviation of the others' load over BLOCK_SECONDS."""
        self.gain = 1.0
        """All interactive work over what the events tell of it."""

    def alive(self, now: float) -> bool:
        """Whether the load of the others is known by events."""
        return self._trusted and now - self.until <= EVENTS_SILENT_SECONDS

    def heard(self, now: float, *, until: float) -> None:
        """A record has come whose newest event is of `until`."""
        self._trusted = True
        self.until = max(self.until, min(until, now))

    def horizon(self, now: float) -> float:
        """Up to when the events are complete: as late as they came lately."""
        lag = max((lag for at, lag in self._lags if now - at <= LAG_SECONDS), default=None)
        if lag is None:
            lag = max((lag for _, lag in self._lags), default=0.0)
        return now - lag

    def read(self, now: float) -> None:
        """All records that were there have been read: the newest event says how late they are.
        History that is read at once does not."""
        if self.until > self._read_until:
            self._read_until = self.until
            self._lags.append((now, now - self.until))

    def measure(self, timeline: Timeline, *, horizon: float) -> None:
        """Take the others' load from what is complete, each whole block once for its bursts."""
        if horizon - self._measured_until > MINUTE_SECONDS:
            # nothing was read meanwhile: unknown is not silent
            self._measured_until = math.floor(horizon / BLOCK_SECONDS) * BLOCK_SECONDS
        while self._measured_until + BLOCK_SECONDS <= horizon:
            end = self._measured_until + BLOCK_SECONDS
            inflow = timeline.others_between(self._measured_until, end)
            self.bursts.add(sum(inflow) / BLOCK_SECONDS)
            self._measured_until = end
        recent = timeline.others_between(horizon - BLOCK_SECONDS, horizon)
        self.load = max(0.0, self.gain * sum(recent) / BLOCK_SECONDS)

    def hold_against(self, *, told: float, metric: float) -> None:
        """The others' load of one minute, as the events tell it and as the metric does."""
        if not self._trusted or metric <= LEAST_LOAD:
            return
        if told < DOUBTFUL * metric:
            self._trusted = told > 0.0
            return
        low, high = GAIN_RANGE
        self.gain += GAIN_RATE * (min(high, max(low, metric / told)) - self.gain)

    def go_on_from(self, *, gain: float, until: float, bursts: tuple[float, ...]) -> None:
        """What another process has learned; `until` is 0 if it does not believe the events."""
        low, high = GAIN_RANGE
        self.gain = min(high, max(low, gain))
        self.bursts.go_on_from(bursts)
        if until > 0.0:
            self._trusted = True
            self.until = max(self.until, until)
            self._read_until = max(self._read_until, until)
