"""AIMD on 429: one more call at a time for every round that went well, half as many after a 429."""

from __future__ import annotations

from benchmarks.control.policies.base import Policy, Surroundings
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.signal import Signal

ROUND_SECONDS = 5.0
"""What a call takes, about: refusals of one round count once."""


class AimdOn429(Policy):
    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._limit = 1.0
        self._halved_at = float("-inf")
        self._blocked_until = float("-inf")

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        if now < self._blocked_until:
            return Wait("a 429", blocked=True, retry_at=self._blocked_until)
        if self.in_flight < int(self._limit):
            return Admit(f"{int(self._limit)} at a time")
        return Wait("as many as allowed are under way", blocked=False, retry_at=None)

    def ended(self, *, now: float, reserved: float, used: float | None) -> None:
        super().ended(now=now, reserved=reserved, used=used)
        if used:
            self._limit = min(float(self.most), self._limit + 1 / self._limit)

    def observe(self, signal: Signal, *, now: float) -> None:
        if not isinstance(signal, Reading) or signal.kind is not ReadingKind.THROTTLED:
            return
        self._blocked_until = max(self._blocked_until, signal.until or now)
        if now - self._halved_at > ROUND_SECONDS:
            self._limit = max(1.0, self._limit / 2)
            self._halved_at = now
