"""What a row says. Pure; work in input-equivalent tokens, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.control.baseline import Baseline


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the plant saw until T."""

    batch_work: float
    """Real cost of the batch calls completed by T."""
    refused: int
    """Interactive calls refused."""
    batch_429: int
    """Batch calls refused."""
    drained: float
    """All work drained by T."""
    work_at_end: float
    """What the bucket holds at T."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Shares are of R·T: all the work that the deployment could have drained."""

    idle_alone: float
    """What the interactive calls leave idle when they are alone."""
    batch_share: float
    ratio: float
    """The part of the idle capacity that was filled. What lies in the bucket at T beyond what
    would lie there without batch was not had yet, and is taken off."""
    baseline_refused: int
    refused: int
    extra_refused_share: float
    """Interactive calls refused beyond those refused without batch, of all."""
    batch_429: int
    idle_share: float
    """What nobody used."""


def figures(outcome: Outcome, alone: Baseline) -> Figures:
    """Raises ValueError where nothing is idle: there is no part of nothing."""
    capacity = alone.capacity
    idle_alone = 1 - alone.accepted_work / capacity
    if idle_alone <= 0:
        raise ValueError("the interactive calls leave nothing idle: there is nothing to fill")
    batch_share = outcome.batch_work / capacity
    owed = (outcome.work_at_end - alone.work_at_end) / capacity
    return Figures(
        idle_alone=idle_alone,
        batch_share=batch_share,
        ratio=(batch_share - owed) / idle_alone,
        baseline_refused=alone.refused,
        refused=outcome.refused,
        extra_refused_share=(outcome.refused - alone.refused) / alone.calls,
        batch_429=outcome.batch_429,
        idle_share=1 - outcome.drained / capacity,
    )
