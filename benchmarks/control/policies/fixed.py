"""A fixed rate, and a pause after a 429.

The rate is what an operator would set who has seen that the deployment is about half idle: half of
what it drains, in tokens as they turn out. The maximum reserves more, so it is counted by debt.
"""

from __future__ import annotations

from benchmarks.control.policies.base import Policy, Surroundings
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.signal import Signal

SHARE = 0.5
PAUSE_SECONDS = 15.0


class FixedRate(Policy):
    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._rate = SHARE * surroundings.work_per_second
        self._debt = 0.0
        self._at: float | None = None
        self._paused_until = float("-inf")

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        if now < self._paused_until:
            return Wait("a pause after a 429", blocked=True, retry_at=self._paused_until)
        self._pay(now)
        if self._debt > 0:
            retry_at = now + self._debt / self._rate
            return Wait("the rate is used up", blocked=False, retry_at=retry_at)
        if self.in_flight >= self.most:
            return Wait("the most calls at a time are under way", blocked=False, retry_at=None)
        return Admit("the rate has room")

    def sent(self, *, now: float, work: float) -> None:
        super().sent(now=now, work=work)
        self._pay(now)
        self._debt += work

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        super().ended(now=now, reserved=reserved, used=used)
        self._debt += (used or 0.0) - reserved

    def observe(self, signal: Signal, *, now: float) -> None:
        if isinstance(signal, Reading) and signal.kind is ReadingKind.THROTTLED:
            self._paused_until = now + PAUSE_SECONDS

    def _pay(self, now: float) -> None:
        """Nothing is saved up beyond what a refund gave back."""
        if self._at is not None:
            self._debt = max(min(self._debt, 0.0), self._debt - self._rate * (now - self._at))
        self._at = now
