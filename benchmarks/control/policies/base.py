"""What the other policies have in common: they count calls, and ignore what they do not use."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.control.baseline import Baseline
from benchmarks.control.plant import Plant
from ptu_optimizer.capacity.control.verdict import Verdict
from ptu_optimizer.capacity.estimate.belief import Belief
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.signal import Signal


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """All that any policy may be told; most look at little of it."""

    work_per_second: float
    """R, as the settings have it."""
    max_concurrent_calls: int
    plant: Plant
    """The truth: for who may know it."""
    alone: Baseline
    """The future, too."""


class Policy:
    """A controller without a belief of its own."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.in_flight = 0
        self.most = surroundings.max_concurrent_calls

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        raise NotImplementedError

    def sent(self, *, now: float, work: float) -> None:
        self.in_flight += 1

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        self.in_flight -= 1

    def observe(self, signal: Signal, *, now: float) -> None:
        """Most do not look."""

    def minute(self, minute: Minute) -> None:
        """A minute of the metric, when it can be read. Most do not look."""

    def belief(self, *, now: float) -> Belief:
        return Belief(value=None, source="none", age=float("inf"), fresh=False)

    def tick(self, *, now: float) -> None:
        """Nothing becomes due by itself."""

    def learned(self, *, now: float) -> Learned | None:
        return None
