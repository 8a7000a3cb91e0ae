"""Per-second samples of a deployment, for plots. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from local.ptu.calls import Traffic
from local.ptu.ptu_deployment import PtuDeployment

__all__ = ["History", "Sample"]


class Sample(NamedTuple):
    """One moment. Level and loads are fractions; loads are means since the sample before."""

    at: float
    level: float
    load_interactive: float
    load_batch: float
    in_flight_interactive: int
    in_flight_batch: int
    served_interactive: int
    served_batch: int
    refused_interactive: int
    refused_batch: int


class History:
    """The newest ``keep`` samples of one provisioned deployment."""

    def __init__(self, deployment: PtuDeployment, *, now: float, keep: int = 7_200) -> None:
        self._deployment = deployment
        self._samples: deque[Sample] = deque(maxlen=keep)
        self._at = now
        self._drained = deployment.drained(now)

    def sample(self, now: float) -> None:
        """Take a sample; to be called about once a second."""
        deployment = self._deployment
        before, self._drained = self._drained, deployment.drained(now)
        possible = deployment.bucket.work_per_second * (now - self._at)
        self._at = now
        if possible <= 0:
            return
        interactive = deployment.counters.of(Traffic.INTERACTIVE)
        batch = deployment.counters.of(Traffic.BATCH)
        self._samples.append(
            Sample(
                at=now,
                level=deployment.level(now),
                load_interactive=(self._drained[0] - before[0]) / possible,
                load_batch=(self._drained[1] - before[1]) / possible,
                in_flight_interactive=interactive.in_flight,
                in_flight_batch=batch.in_flight,
                served_interactive=interactive.served,
                served_batch=batch.served,
                refused_interactive=interactive.refused,
                refused_batch=batch.refused,
            )
        )

    def since(self, at: float) -> list[Sample]:
        """Samples later than ``at``, oldest first."""
        return [sample for sample in self._samples if sample.at > at]
