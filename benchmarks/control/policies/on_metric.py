"""What the policies on the metric have in common: the newest minute, and how old it may be."""

from __future__ import annotations

from benchmarks.control.policies.base import Policy, Surroundings
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.signals.minute import Minute

BELIEVED_SECONDS = 300.0
"""How long a minute is acted upon: the next ones are one to three minutes late themselves."""

LOOK_AGAIN_SECONDS = 1.0


class OnMetric(Policy):
    """So many calls at a time as the newest minute's utilization allows."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._newest: Minute | None = None

    def allowed(self, utilization: float) -> int:
        """Calls at a time."""
        raise NotImplementedError

    def minute(self, minute: Minute) -> None:
        if self._newest is None or minute.ends_at > self._newest.ends_at:
            self._newest = minute

    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        newest = self._newest
        if newest is None or newest.utilization is None or now - newest.ends_at > BELIEVED_SECONDS:
            return Wait("the metric is unknown", blocked=True, retry_at=now + LOOK_AGAIN_SECONDS)
        allowed = min(self.most, self.allowed(newest.utilization))
        if self.in_flight < allowed:
            return Admit(f"the metric is {newest.utilization:.0%}")
        if allowed:
            return Wait("as many as allowed are under way", blocked=False, retry_at=None)
        why = f"the metric is {newest.utilization:.0%}"
        return Wait(why, blocked=True, retry_at=now + LOOK_AGAIN_SECONDS)
