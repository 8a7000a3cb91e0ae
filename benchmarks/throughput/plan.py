"""What is measured, with which numbers, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.throughput.report import Target

ENQUEUE = "enqueue"
ZERO_LATENCY = "dispatch_zero_latency"
LATENCY = "dispatch_200ms"
LATENCY_64 = "dispatch_200ms_64"
BACKLOG = "backlog"

ITEMS_PER_CALL = 500

CALLS_AT_ONCE = 4
"""Arrays of 500 under way at a time while enqueuing, ours and bare alike."""


@dataclass(frozen=True, kw_only=True)
class EnqueuePlan:
    calls: int
    """Arrays of 500 a round."""
    rounds: int
    targets: tuple[Target, ...] = (Target(name="ratio", limit=0.4),)


@dataclass(frozen=True, kw_only=True)
class DispatchPlan:
    name: str
    requests: int
    """Requests a round."""
    rounds: int
    concurrency: int
    latency_seconds: float
    targets: tuple[Target, ...]


@dataclass(frozen=True, kw_only=True)
class BacklogPlan:
    small: int
    """Requests queued, all of which are dispatched."""
    large: int
    """Requests queued, of which as many are timed as there are in the small backlog."""
    rounds: int
    lasting: int
    """Requests of the large backlog that its last round dispatches: memory that grows shows."""
    concurrency: int = 64
    targets: tuple[Target, ...] = (
        Target(name="memory_ratio", limit=1.3, at_most=True),
        Target(name="time_ratio", limit=1.1, at_most=True),
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    enqueue: EnqueuePlan
    dispatches: tuple[DispatchPlan, ...]
    backlog: BacklogPlan

    @property
    def names(self) -> tuple[str, ...]:
        return (ENQUEUE, *(dispatch.name for dispatch in self.dispatches), BACKLOG)


def _dispatches(
    *, zero: int, sixteen: int, sixty_four: int, rounds: int
) -> tuple[DispatchPlan, ...]:
    return (
        DispatchPlan(
            name=ZERO_LATENCY,
            requests=zero,
            rounds=rounds,
            concurrency=64,
            latency_seconds=0.0,
            targets=(Target(name="ratio", limit=0.25),),
        ),
        DispatchPlan(
            name=LATENCY,
            requests=sixteen,
            rounds=rounds,
            concurrency=16,
            latency_seconds=0.2,
            targets=(Target(name="ratio", limit=0.9),),
        ),
        DispatchPlan(
            name=LATENCY_64,
            requests=sixty_four,
            rounds=rounds,
            concurrency=64,
            latency_seconds=0.2,
            targets=(),
        ),
    )


FULL = Plan(
    enqueue=EnqueuePlan(calls=40, rounds=7),
    dispatches=_dispatches(zero=2_000, sixteen=1_200, sixty_four=2_000, rounds=3),
    backlog=BacklogPlan(small=1_000, large=100_000, rounds=7, lasting=5_000),
)

QUICK = Plan(
    enqueue=EnqueuePlan(calls=10, rounds=3),
    dispatches=_dispatches(zero=500, sixteen=400, sixty_four=500, rounds=1),
    backlog=BacklogPlan(small=500, large=5_000, rounds=1, lasting=1_000),
)
"""To see that everything works; its figures are too short to be quoted."""
