"""What was measured: one JSON object, and a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

Number = float | int


@dataclass(frozen=True, kw_only=True)
class Target:
    """A promise about one figure of a part."""

    name: str
    """The figure: `ratio`, or another name in the part's JSON."""
    limit: float
    at_most: bool = False
    """True: not above `limit`. False: not below it."""

    def met_by(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        return f"{self.name} {'<=' if self.at_most else '>='} {self.limit:g}"


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """One part: ours beside bare."""

    name: str
    unit: str
    ours: float
    bare: float
    ratio: float
    """ours / bare."""
    bare_is: str
    """What ours is compared with, in a few words."""
    targets: tuple[Target, ...] = ()
    """None: the figure is reported, nothing is promised about it."""
    more: Mapping[str, Any] = field(default_factory=dict)

    def figure(self, name: str) -> float:
        return float(self.ratio if name == "ratio" else self.more[name])

    @property
    def missed(self) -> list[Target]:
        return [target for target in self.targets if not target.met_by(self.figure(target.name))]

    def line(self) -> str:
        """The part in one line, for the log of a run."""
        ours, bare = significant(self.ours), significant(self.bare)
        return f"{self.name}: ours {ours:g}, bare {bare:g} {self.unit}, ratio {self.ratio:.3f}"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; rates to four digits, ratios to three decimals."""
        return {
            "ours": significant(self.ours),
            "bare": significant(self.bare),
            "ratio": round(self.ratio, 3),
            "unit": self.unit,
            "bare_is": self.bare_is,
            "targets": [str(target) for target in self.targets],
            "met": not self.missed if self.targets else None,
            **self.more,
        }


def significant(value: float, digits: int = 4) -> float:
    """`value` to so many digits: more would pretend to a precision that is not there."""
    return float(f"{value:.{digits}g}")


def table(parts: Sequence[PartReport]) -> Table:
    """The parts with their targets and verdicts."""
    grid = Table(title="throughput", title_justify="left", show_edge=False)
    grid.add_column("part", no_wrap=True)
    for column in ("ours", "bare", "ratio"):
        grid.add_column(column, justify="right", no_wrap=True)
    grid.add_column("target", no_wrap=True)
    grid.add_column("verdict", no_wrap=True)
    for part in parts:
        grid.add_row(
            f"{part.name}\n[dim]{part.unit}[/]",
            f"{significant(part.ours):g}",
            f"{significant(part.bare):g}",
            f"{part.ratio:.3f}",
            "\n".join(map(_short, part.targets)) or "reported only",
            "\n".join(_verdict(part, target) for target in part.targets),
        )
    return grid


def _short(target: Target) -> str:
    """So that the table fits into 80 columns."""
    return str(target).replace("_ratio", "")


def _verdict(part: PartReport, target: Target) -> str:
    value = part.figure(target.name)
    shown = "" if target.name == "ratio" else f" ({value:.3f})"
    return f"[green]met[/]{shown}" if target.met_by(value) else f"[red]MISSED[/]{shown}"


def print_table(parts: Sequence[PartReport], console: Console) -> None:
    console.print(table(parts))
    missed = [part.name for part in parts if part.missed]
    if missed:
        console.print(f"[red]below target:[/] {', '.join(missed)}")
