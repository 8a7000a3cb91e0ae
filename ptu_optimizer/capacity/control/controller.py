"""Admission: may a call be sent now? Its result is a verdict. Pure; `now` is an argument.

`Controller` is the seam: its callers know this protocol only, so an implementation can be
replaced.
"""

from __future__ import annotations

from typing import Protocol

from ptu_optimizer.capacity.estimate.belief import Belief
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.signal import Signal

from .verdict import Verdict


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
        """Take in a signal. A controller ignores signals that it does not use."""
        ...

    def tick(self, *, now: float) -> None:
        """About once a second while work waits or runs."""
        ...

    def belief(self, *, now: float) -> Belief: ...

    def learned(self, *, now: float) -> Learned | None:
        """What the next sending process should know; None if there is nothing."""
        ...
