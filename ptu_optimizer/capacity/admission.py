"""Admission: may a call be sent now? Its result is a verdict. Pure; `now` is an argument.

`Controller` is the seam: what is behind it can be replaced without its caller's notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .gauge import Belief, Gauge
from .reading import Reading


@dataclass(frozen=True, slots=True)
class Admit:
    """Send one call now."""

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do not send now."""

    why: str
    closed: bool
    """True: nothing is sent at all. False: as many calls as allowed are under way."""
    retry_at: float | None
    """When to ask again, in epoch seconds; None: when a call ends or a reading comes in."""


Verdict = Admit | Wait


class Controller(Protocol):
    """One per deployment and process. Work in input-equivalent tokens, times in epoch seconds."""

    def ask(self, *, now: float, work: float) -> Verdict:
        """The verdict for the next call, which would reserve `work`."""
        ...

    def sent(self, *, now: float, work: float) -> None:
        """A call that reserves `work` is under way."""
        ...

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        """It ended; `used` is what it cost, None if it never ran or nobody knows."""
        ...

    def observe(self, reading: Reading, *, now: float) -> None: ...

    def belief(self, *, now: float) -> Belief: ...

    def newest_reading(self) -> Reading | None:
        """The freshest live reading, for other processes."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SlowDownLimits:
    """At or below `lower` full speed, above it linearly fewer at a time, at `upper` none."""

    lower: float
    upper: float
    max_concurrent_calls: int

    def allowed(self, level: float) -> int:
        """Calls at a time at this level."""
        if level <= self.lower:
            return self.max_concurrent_calls
        if level >= self.upper:
            return 0
        share = (self.upper - level) / (self.upper - self.lower)
        return max(1, int(self.max_concurrent_calls * share))


REOPEN_INTERVAL_SECONDS = 1.0
"""How often a gate that a level has closed asks again, lest it sleep through a reading's end."""


class SlowDown:
    """Slow-down between two limits; probes one call at a time when it has nothing fresh."""

    def __init__(self, *, limits: SlowDownLimits, gauge: Gauge) -> None:
        self._limits = limits
        self._gauge = gauge
        self._in_flight = 0
        self.reserved = 0.0

    def ask(self, *, now: float, work: float) -> Verdict:
        closed_until = self._gauge.closed_until()
        if now < closed_until:
            return Wait("the deployment answered 429", closed=True, retry_at=closed_until)
        belief = self._gauge.belief(now=now)
        if not belief.fresh or belief.value is None:
            return self._probe()
        allowed = self._limits.allowed(belief.value)
        if self._in_flight < allowed:
            return Admit(f"{belief.value:.0%} by {belief.source}")
        if allowed == 0:
            return Wait(
                f"utilization {belief.value:.0%} is at or above the upper limit "
                f"{self._limits.upper:.0%}",
                closed=True,
                retry_at=now + REOPEN_INTERVAL_SECONDS,
            )
        return Wait(f"{allowed} calls at a time are under way", closed=False, retry_at=None)

    def _probe(self) -> Verdict:
        if self._in_flight > 0:
            return Wait("no fresh reading: one call at a time", closed=False, retry_at=None)
        return Admit("no fresh reading: a probe")

    def sent(self, *, now: float, work: float) -> None:
        self._in_flight += 1
        self.reserved += work

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        self._in_flight -= 1
        self.reserved -= reserved

    def observe(self, reading: Reading, *, now: float) -> None:
        self._gauge.observe(reading, now=now)

    def belief(self, *, now: float) -> Belief:
        return self._gauge.belief(now=now)

    def newest_reading(self) -> Reading | None:
        return self._gauge.newest()
