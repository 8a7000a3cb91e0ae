"""Admission: may a call be sent now? Its result is a verdict. Pure; `now` is an argument.

`Controller` is the seam: what is behind it can be replaced without its caller's notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ptu_optimizer.capacity.belief import Belief, Learned
from ptu_optimizer.capacity.signals.signal import Signal


@dataclass(frozen=True, slots=True)
class Admit:
    """Send one call now."""

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do not send now."""

    why: str
    closed: bool
    """True: nothing is sent at all. False: a call goes as soon as there is room for it."""
    retry_at: float | None
    """When to ask again, in epoch seconds; None: when a call ends or a signal comes in."""


Verdict = Admit | Wait


class Controller(Protocol):
    """One per deployment and process. Work in input-equivalent tokens, times in epoch seconds."""

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        """The verdict for the next call, which would reserve `work`."""
        ...

    def sent(self, *, now: float, work: float) -> None:
        """A call that reserves `work` is under way."""
        ...

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        """It ended; `used` is what it cost, 0 if it never ran, None if nobody knows."""
        ...

    def observe(self, signal: Signal, *, now: float) -> None:
        """Take in what became known; what says nothing to this controller is passed over."""
        ...

    def tick(self, *, now: float) -> None:
        """About once a second while work waits or runs."""
        ...

    def belief(self, *, now: float) -> Belief: ...

    def learned(self, *, now: float) -> Learned | None:
        """What a successor in another process should know; None if there is nothing."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SlowDownLimits:
    """At or below `lower` full speed, above it linearly fewer at a time, at `upper` none.

    The operator's contract, by priority; the level control works inside it.
    """

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
