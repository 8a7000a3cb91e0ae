"""The table, and what is said of targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.control.row import Result
from benchmarks.control.targets import missed, target_of

KILLED = "sender killed"


def as_json(results: Sequence[Result], *, apart: bool) -> dict[str, Any]:
    """`rows`, and apart from them, if they come together, those in which the sender is killed."""
    rows = [(result, _row(result, results)) for result in results]
    if not apart:
        return {"rows": [row for _, row in rows]}
    return {
        "rows": [row for result, row in rows if not result.row.kill],
        "killed": [row for result, row in rows if result.row.kill],
    }


def _row(result: Result, results: Sequence[Result]) -> dict[str, Any]:
    target = target_of(result.row)
    return {
        **result.as_dict(),
        "target": None if target is None else str(target),
        "missed": missed(result, results),
    }


def misses(results: Sequence[Result]) -> list[str]:
    """A line for every row that misses its target."""
    return [f"{result.row.title}: {what}" for result in results for what in missed(result, results)]


def print_table(results: Sequence[Result], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("", "W", "signals", "P", "policy"):
        table.add_column(name)
    for name in ("idle alone", "batch", "ratio", "refused", "alone", "extra", "429", "idle", "s"):
        table.add_column(name, justify="right")
    table.add_column("ratio / extra must be")
    timed = any(result.decision_ms is not None for result in results)
    if timed:
        table.add_column("ms a decision", justify="right")
    for result in results:
        table.add_row(*_cells(result, results, timed=timed))
    console.print(table)
    for line in misses(results):
        console.print(f"missed: {line}", highlight=False, soft_wrap=True)


def _cells(result: Result, results: Sequence[Result], *, timed: bool) -> list[str]:
    row, found = result.row, result.figures
    signals = f"{row.signals}, {KILLED}" if row.kill else row.signals
    cells = [
        row.scenario.name,
        f"{row.bucket_seconds:g}",
        row.robustness or signals,
        str(row.processes),
        row.policy,
        f"{found.idle_alone:.3f}",
        f"{found.batch_share:.3f}",
        f"{found.ratio:.4f}",
        str(found.refused),
        str(found.baseline_refused),
        f"{found.extra_refused_share:.3%}",
        str(found.batch_429),
        f"{found.idle_share:.3f}",
        f"{result.wall_seconds:.1f}",
        _verdict(result, results),
    ]
    if timed:
        cells.append("" if result.decision_ms is None else f"{result.decision_ms:.3f}")
    return cells


def _verdict(result: Result, results: Sequence[Result]) -> str:
    target = target_of(result.row)
    if target is None:
        return ""
    return f"{target} {'missed' if missed(result, results) else 'met'}"
