"""The linear slow-down on the metric: ten at once up to 20 %, none from 90 % on."""

from __future__ import annotations

from benchmarks.control.policies.on_metric import OnMetric

AT_ONCE = 10
LOWER, UPPER = 0.2, 0.9


class LinearSlowDown(OnMetric):
    def allowed(self, utilization: float) -> int:
        if utilization >= UPPER:
            return 0
        share = min(1.0, (UPPER - utilization) / (UPPER - LOWER))
        return max(1, round(AT_ONCE * share))
