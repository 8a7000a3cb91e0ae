"""The rows in which something is wrong, each with what must hold all the same. Data, to edit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from benchmarks.control.plant import Behaviour
from benchmarks.control.row import Conditions, Row, Signals
from benchmarks.control.scenarios import A, B, Scenario


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One thing that is wrong. `ratio` and `extra`: the least and the most that must hold."""

    name: str
    ratio: float
    extra: float
    signals: Signals
    scenario: Scenario = A
    bucket_seconds: float = 10
    processes: int = 1
    conditions: Conditions = field(default_factory=Conditions)

    def row(self) -> Row:
        return Row(
            scenario=self.scenario,
            bucket_seconds=self.bucket_seconds,
            processes=self.processes,
            signals=self.signals,
            robustness=self.name,
            conditions=self.conditions,
        )


A_TENTH = replace(A, ptus=66, keep_every=10)
A_DOUBLE_HALVED = replace(A, ptus=1_320, halves=True)


def _both(
    name: str,
    live: tuple[float, float],
    events: tuple[float, float],
    conditions: Conditions,
    scenario: Scenario = A,
) -> Iterator[Wrong]:
    """The same with the header and with usage events."""
    found: tuple[tuple[Signals, tuple[float, float]], ...] = (("live", live), ("events", events))
    for signals, (ratio, extra) in found:
        yield Wrong(
            name=f"{name}, {signals}",
            ratio=ratio,
            extra=extra,
            signals=signals,
            conditions=conditions,
            scenario=scenario,
        )


WRONG: tuple[Wrong, ...] = (
    *_both(
        "capacity setting 30 % too high",
        (0.95, 0.005),
        (0.92, 0.01),
        Conditions(capacity_factor=1.3),
    ),
    *_both(
        "capacity setting 30 % too low",
        (0.95, 0.005),
        (0.30, 0.005),
        Conditions(capacity_factor=0.7),
    ),
    Wrong(
        name="capacity setting 30 % too low, metric is a load, events",
        ratio=0.80,
        extra=0.005,
        signals="events",
        conditions=Conditions(capacity_factor=0.7, metric="load"),
    ),
    Wrong(
        name="header missing half the time",
        ratio=0.97,
        extra=0.005,
        signals="live",
        conditions=Conditions(behaviour=Behaviour(header_share=0.5)),
    ),
    Wrong(
        name="header value from admission",
        ratio=0.95,
        extra=0.01,
        signals="live",
        conditions=Conditions(behaviour=Behaviour(header_at_admission=True)),
    ),
    Wrong(
        name="metric is a level, monitor",
        ratio=0.65,
        extra=0.0015,
        signals="monitor",
        scenario=B,
        conditions=Conditions(metric="level"),
    ),
    Wrong(
        name="metric is a load, monitor",
        ratio=0.65,
        extra=0.0015,
        signals="monitor",
        scenario=B,
        conditions=Conditions(metric="load"),
    ),
    Wrong(
        name="metric is a load, events",
        ratio=0.95,
        extra=0.0025,
        signals="events",
        conditions=Conditions(metric="load"),
    ),
    Wrong(
        name="metric missing for 10 minutes, monitor",
        ratio=0.60,
        extra=0.0015,
        signals="monitor",
        scenario=B,
        conditions=Conditions(metric_silent=(1_200.0, 1_800.0)),
    ),
    Wrong(
        name="metric missing for 10 minutes, events",
        ratio=0.93,
        extra=0.005,
        signals="events",
        conditions=Conditions(metric_silent=(1_200.0, 1_800.0)),
    ),
    Wrong(
        name="2 % of usage events lost",
        ratio=0.93,
        extra=0.005,
        signals="events",
        conditions=Conditions(lost_events_share=0.02),
    ),
    *_both(
        "max_tokens four times the use",
        (0.95, 0.005),
        (0.93, 0.005),
        Conditions(reserve_factor=4),
    ),
    *_both(
        "max_tokens ten times the use",
        (0.88, 0.005),
        (0.93, 0.006),
        Conditions(reserve_factor=10),
    ),
    *_both(
        "30 % of batch calls fail",
        (0.97, 0.005),
        (0.95, 0.005),
        Conditions(behaviour=Behaviour(failing_share=0.3)),
    ),
    *_both(
        "half of the PTUs go",
        (0.95, 0.005),
        (0.93, 0.01),
        Conditions(),
        A_DOUBLE_HALVED,
    ),
    *_both(
        "a tenth of the size",
        (0.80, 0.02),
        (0.80, 0.02),
        Conditions(),
        A_TENTH,
    ),
    Wrong(
        name="one loaded partition of 8 processes",
        ratio=0.95,
        extra=0.005,
        signals="live",
        processes=8,
        conditions=Conditions(loaded_partitions=1),
    ),
)
