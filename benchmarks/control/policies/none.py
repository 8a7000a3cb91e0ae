"""No control: as many calls at a time as the hard maximum allows."""

from __future__ import annotations

from benchmarks.control.policies.base import Policy
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait


class NoControl(Policy):
    def ask(self, *, now: float, work: float, priority: str) -> Verdict:
        if self.in_flight < self.most:
            return Admit("there is no control")
        return Wait("the most calls at a time are under way", blocked=False, retry_at=None)
