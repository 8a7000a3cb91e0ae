"""The same hour without batch: what the row with batch is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.control.interactive import Interactive
from benchmarks.control.scenarios import Scenario
from local.traffic.trace import Call


@dataclass(frozen=True, kw_only=True)
class Baseline:
    calls: int
    """Interactive calls, refused ones included."""
    accepted: Sequence[Call]
    seconds: float
    """T: from the first arrival to the last."""
    capacity: float
    """R·T: what can be drained, input-equivalent tokens."""
    accepted_work: float
    """Of the calls that were accepted, input-equivalent tokens."""
    refused_at: Sequence[float]
    work_at_end: float
    """What the bucket holds at T, input-equivalent tokens."""

    @property
    def refused(self) -> int:
        return len(self.refused_at)


def baseline(scenario: Scenario, *, bucket_seconds: float) -> Baseline:
    calls = scenario.calls()
    deployment = scenario.deployment(bucket_seconds=bucket_seconds)
    interactive = Interactive(calls, deployment, resizes=scenario.resizes())
    end = calls[-1].at
    interactive.play(end)
    deployment.advance(end)
    return Baseline(
        calls=len(calls),
        accepted=[calls[number] for number in interactive.accepted],
        seconds=end,
        capacity=scenario.capacity(),
        accepted_work=interactive.accepted_work,
        refused_at=interactive.refused_at,
        work_at_end=deployment.bucket.work,
    )
