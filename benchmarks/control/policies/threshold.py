"""The threshold on the metric: below 70 % dispatch, else do not."""

from __future__ import annotations

from benchmarks.control.policies.on_metric import OnMetric

THRESHOLD = 0.7


class MetricThreshold(OnMetric):
    def allowed(self, utilization: float) -> int:
        return self.most if utilization < THRESHOLD else 0
