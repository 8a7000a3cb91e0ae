"""What ours must reach, as data: easy to read beside the issue's table, easy to edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.control.robustness import WRONG
from benchmarks.control.row import OURS, Result, Row, Signals
from benchmarks.control.scenarios import SCENARIOS

ROUNDING = 5e-7
"""Figures are compared as they are shown."""


@dataclass(frozen=True)
class Target:
    """At least this ratio, at most this share of the interactive calls refused beyond."""

    ratio: float
    extra: float

    def __str__(self) -> str:
        return f"≥ {self.ratio:g} / " + (f"≤ {self.extra:.2%}" if self.extra else "0")

    def missed(self, result: Result) -> list[str]:
        found = result.figures
        missed = []
        if found.ratio < self.ratio - ROUNDING:
            missed.append(f"ratio {found.ratio:.4f}, must be at least {self.ratio:g}")
        if found.extra_refused_share > self.extra + ROUNDING:
            missed.append(
                f"{found.extra_refused_share:.3%} refused beyond, must be at most {self.extra:.3%}"
            )
        return missed


@dataclass(frozen=True)
class BetterThan:
    """Against another policy of the same run: at most half its extra refused, or at least its
    ratio with fewer."""

    policy: str

    def __str__(self) -> str:
        return f"better than {self.policy}"

    def missed(self, result: Result, other: Result) -> list[str]:
        ours, theirs = result.figures, other.figures
        if ours.extra_refused_share <= max(0.0, theirs.extra_refused_share / 2):
            return []
        if ours.ratio >= theirs.ratio and ours.extra_refused_share < theirs.extra_refused_share:
            return []
        return [
            f"ratio {ours.ratio:.3f} with {ours.extra_refused_share:.3%} refused beyond; "
            f"{self.policy}: {theirs.ratio:.3f} with {theirs.extra_refused_share:.3%}"
        ]


Key = tuple[Signals, bool, str, float]
"""Signals, whether the sender is killed, scenario, W."""

REPORT = BetterThan("threshold")

_COLUMNS: tuple[tuple[str, float], ...] = (
    ("A", 60),
    ("B", 60),
    ("C", 60),
    ("A", 10),
    ("B", 10),
    ("C", 10),
)
_TABLE: tuple[tuple[Signals, bool, tuple[Target | BetterThan, ...]], ...] = (
    (
        "live",
        False,
        (
            Target(0.99, 0),
            Target(0.99, 0),
            Target(0.99, 0),
            Target(0.97, 0.0025),
            Target(0.98, 0.0002),
            Target(0.94, 0.013),
        ),
    ),
    (
        "live",
        True,
        (
            Target(0.98, 0),
            Target(0.97, 0),
            Target(0.98, 0),
            Target(0.95, 0.0025),
            Target(0.96, 0.0002),
            Target(0.92, 0.013),
        ),
    ),
    (
        "events",
        False,
        (
            Target(0.97, 0),
            Target(0.96, 0),
            Target(0.96, 0),
            Target(0.96, 0.0025),
            Target(0.96, 0.0005),
            Target(0.94, 0.013),
        ),
    ),
    (
        "monitor",
        False,
        (
            Target(0.70, 0),
            Target(0.70, 0),
            REPORT,
            REPORT,
            Target(0.65, 0.0015),
            REPORT,
        ),
    ),
)

TARGETS: dict[Key, Target | BetterThan] = {
    (signals, killed, scenario, bucket_seconds): target
    for signals, killed, targets in _TABLE
    for (scenario, bucket_seconds), target in zip(_COLUMNS, targets, strict=True)
}

MUST_HOLD = {wrong.name: Target(wrong.ratio, wrong.extra) for wrong in WRONG}
"""Of the robustness rows."""


def target_of(row: Row) -> Target | BetterThan | None:
    """None for what neither table speaks of: other policies, other traces, other sizes."""
    if row.policy != OURS:
        return None
    if row.robustness is not None:
        return MUST_HOLD.get(row.robustness)
    if row.scenario != SCENARIOS.get(row.scenario.name):
        return None
    return TARGETS.get((row.signals, row.kill, row.scenario.name, row.bucket_seconds))


def missed(result: Result, results: Sequence[Result]) -> list[str]:
    """What a row misses, in words; nothing if there is no target, or nobody to compare with."""
    target = target_of(result.row)
    if isinstance(target, Target):
        return target.missed(result)
    if isinstance(target, BetterThan):
        other = next(
            (
                one
                for one in results
                if one.row.policy == target.policy
                and one.row.scenario == result.row.scenario
                and one.row.bucket_seconds == result.row.bucket_seconds
            ),
            None,
        )
        return [] if other is None else target.missed(result, other)
    return []
