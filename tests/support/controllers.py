"""A controller as `composition` builds it, of a deployment that drains 1,000 a second; and a plain
one for tests of what lies around it."""

from __future__ import annotations

from ptu_optimizer.capacity.control.level_controller import LevelController
from ptu_optimizer.capacity.control.limits import SlowDownLimits
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.estimate.belief import Belief
from ptu_optimizer.capacity.estimate.observer import LevelObserver
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.signal import Signal
from ptu_optimizer.capacity.work import Model

RATE = 1_000.0
MODEL = Model(input_tpm_per_ptu=1_000, output_ratio=4)


def level_controller(*, source: str = "me", deployment: str = "ptu") -> LevelController:
    limits = SlowDownLimits(lower=0.2, upper=0.8, max_concurrent_calls=64)
    return LevelController(
        deployment=deployment,
        source=source,
        work_per_second=RATE,
        observer=LevelObserver(
            work_per_second=RATE, model=MODEL, header_ttl_seconds=15, metric_ttl_seconds=300
        ),
        limits={"high": limits, "normal": limits},
        max_concurrent_calls=64,
    )


class Paced:
    """A controller that lets one call pass every so many seconds, and remembers what it heard."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.heard: list[Signal] = []
        self._next = 0.0

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        if now < self._next:
            return Wait("paced for the test", blocked=False, retry_at=self._next)
        return Admit("open")

    def sent(self, *, now: float, work: float) -> None:
        self._next = now + self.seconds

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        pass

    def observe(self, signal: Signal, *, now: float) -> None:
        self.heard.append(signal)

    def tick(self, *, now: float) -> None:
        pass

    def belief(self, *, now: float) -> Belief:
        return Belief(value=None, source="nothing", age=0.0, fresh=False)

    def learned(self, *, now: float) -> Learned | None:
        return None
