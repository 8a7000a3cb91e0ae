"""Rows and results made by hand."""

from dataclasses import replace
from typing import Any

from benchmarks.control.figures import Figures
from benchmarks.control.row import Result, Row
from benchmarks.control.scenarios import SCENARIOS

ROW = Row(scenario=SCENARIOS["B"], bucket_seconds=60, processes=1, signals="live")

FIGURES = Figures(
    idle_alone=0.5,
    batch_share=0.495,
    ratio=0.99,
    baseline_refused=0,
    refused=0,
    extra_refused_share=0.0,
    batch_429=0,
    idle_share=0.005,
)


def row(scenario: str = "B", **changes: Any) -> Row:
    return replace(ROW, scenario=SCENARIOS[scenario], **changes)


def result(of: Row = ROW, **changes: Any) -> Result:
    """With these of its figures changed."""
    return Result(
        row=of,
        figures=replace(FIGURES, **changes),
        wall_seconds=3.21,
        batch_calls=10_000,
        completed=9_990,
        copies=3,
        reads=7_000,
        writes=3_000,
    )
