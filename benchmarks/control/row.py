"""One row of the table: what is run, and what came of it. Both travel between processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from benchmarks.control.figures import Figures
from benchmarks.control.plant import Behaviour
from benchmarks.control.scenarios import Scenario
from benchmarks.control.signals import Metric

Signals = Literal["live", "events", "monitor"]
SIGNALS: tuple[Signals, ...] = ("live", "events", "monitor")
OURS = "ours"
KILL_SECONDS = 600.0

STORMS = frozenset({"none", "threshold"})
"""The policies that are refused a hundred thousand times."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is wrong with the world; nothing, if not said otherwise."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    capacity_factor: float = 1.0
    """PTUs in the settings over those that there are."""
    metric: Metric = "level"
    metric_silent: tuple[float, float] | None = None
    """From and until when no minute of the metric comes."""
    lost_events_share: float = 0.0
    reserve_factor: float = 2.0
    """`max_tokens` of the batch calls over their real output."""
    loaded_partitions: int | None = None
    """How many partitions have a backlog; all, if None."""


@dataclass(frozen=True, kw_only=True)
class Row:
    scenario: Scenario
    bucket_seconds: float
    processes: int
    signals: Signals
    policy: str = OURS
    kill: bool = False
    """Kill the process that sent last, every 10 minutes."""
    robustness: str | None = None
    """The name of a row in which something is wrong."""
    conditions: Conditions = field(default_factory=Conditions)
    seed: int = 1
    profile: bool = False
    """Measure the time that decisions take."""
    picture: bool = False
    """Keep samples to draw."""

    @property
    def title(self) -> str:
        parts = [self.scenario.name, f"W={self.bucket_seconds:g}", f"P={self.processes}"]
        parts += [self.signals, *(["killed"] if self.kill else [])]
        parts += [self.policy] if self.policy != OURS else []
        return " ".join([*parts, *([self.robustness] if self.robustness else [])])

    @property
    def weight(self) -> float:
        """About how long it takes, beside others: processes, and calls that come in vain."""
        weight = 1 + self.processes / 4
        if self.signals == "events":
            weight += 1 + self.processes / 8
        return weight + (5 if self.policy in STORMS else 0)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What was drained in the seconds before `at`, over what could have been; and the level."""

    at: float
    interactive: float
    batch: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Result:
    row: Row
    figures: Figures
    wall_seconds: float
    batch_calls: int
    """Calls sent, refused ones included."""
    completed: int
    copies: int
    """Events published again, to requests-later."""
    reads: int
    writes: int
    """Of the container `capacity`."""
    kills: int = 0
    decision_ms: float | None = None
    """CPU inside the controller per call sent; None unless asked for."""
    samples: tuple[Sample, ...] = ()
    refusals: tuple[float, ...] = ()
    """When interactive calls were refused."""
    refusals_alone: tuple[float, ...] = ()
    """When they are without batch."""

    def as_dict(self) -> dict[str, Any]:
        """The row of `--json`."""
        row = self.row
        figures = asdict(self.figures)
        return {
            "scenario": row.scenario.name,
            "bucket_seconds": row.bucket_seconds,
            "processes": row.processes,
            "signals": row.signals,
            "policy": row.policy,
            **{
                name: round(value, 6) if isinstance(value, float) else value
                for name, value in figures.items()
            },
            "wall_seconds": round(self.wall_seconds, 2),
            "killed": row.kill,
            "robustness": row.robustness,
            "ptus": row.scenario.ptus,
            "metric": row.conditions.metric,
            "batch_calls": self.batch_calls,
            "completed": self.completed,
            "copies": self.copies,
            "capacity_reads": self.reads,
            "capacity_writes": self.writes,
            "kills": self.kills,
            "decision_ms": self.decision_ms,
        }
