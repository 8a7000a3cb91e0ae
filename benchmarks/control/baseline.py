"""The same hour without batch: what the row with batch is measured against."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.control.interactive import Interactive
from benchmarks.control.scenarios import Scenario


@dataclass(frozen=True, kw_only=True)
class Baseline:
    calls: int
    """Interactive calls, refused ones included."""
    seconds: float
    """T: from the first arrival to the last."""
    accepted_work: float
    """Input-equivalent tokens of the calls that were accepted."""
    refused: int
    work_at_end: float
    """What the bucket holds at T, input-equivalent tokens."""


def baseline(scenario: Scenario, *, bucket_seconds: float) -> Baseline:
    calls = scenario.calls()
    deployment = scenario.deployment(bucket_seconds=bucket_seconds)
    interactive = Interactive(calls, deployment)
    end = calls[-1].at
    interactive.play(end)
    deployment.advance(end)
    return Baseline(
        calls=len(calls),
        seconds=end,
        accepted_work=interactive.accepted_work,
        refused=interactive.refused,
        work_at_end=deployment.bucket.work,
    )
