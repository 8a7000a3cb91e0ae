"""What the demo shows while it runs: a live panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

PLAIN_SECONDS = 5.0
"""How often a plain line is printed."""

BAR_COLUMNS = 32
"""So that the panel fits a terminal of 80 columns."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One moment of the demo."""

    seconds: float
    requests: int
    done: int = 0
    in_flight: int = 0
    deferred: int = 0
    """How often requests were re-scheduled because the PTU had no room."""
    batch_refused: int = 0
    interactive: float = 0.0
    """Load of the interactive calls; 1.0 is 100 % of what the PTU drains."""
    batch: float = 0.0
    interactive_calls: int = 0
    interactive_refused: int = 0
    belief: str = ""
    """What the app believes of the PTU."""

    @property
    def idle(self) -> float:
        return max(0.0, 1.0 - self.interactive - self.batch)

    def line(self) -> str:
        """The moment as one line of text."""
        return (
            f"{self.seconds:5.0f} s  interactive {self.interactive:4.0%}  batch {self.batch:4.0%}  "
            f"idle {self.idle:4.0%}  deferred {self.deferred}  in flight {self.in_flight}  "
            f"done {self.done}/{self.requests}"
        )


class View(Protocol):
    """Where the demo shows itself."""

    def say(self, message: str) -> None:
        """Something happened."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """This is how it stands now."""
        ...


class PlainView:
    """Lines, few enough for a log."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: float | None = None

    def say(self, message: str) -> None:
        print(message, file=self._out, flush=True)

    def show(self, snapshot: Snapshot) -> None:
        if self._shown is None or snapshot.seconds - self._shown >= PLAIN_SECONDS:
            self._shown = snapshot.seconds
            self.say(f"{snapshot.line()}\n         believes: {snapshot.belief}")


class LiveView:
    """A panel that stays in place, with messages above it."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def say(self, message: str) -> None:
        self._live.console.print(message, highlight=False)

    def show(self, snapshot: Snapshot) -> None:
        self._live.update(panel(snapshot))


def panel(snapshot: Snapshot) -> RenderableType:
    """The live picture of one moment."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(justify="right", style="bold")
    rows.add_column(width=BAR_COLUMNS)
    rows.add_column()
    rows.add_row(
        "PTU",
        load_bar(snapshot),
        f"[cyan]interactive {snapshot.interactive:.0%}[/]  [green]batch {snapshot.batch:.0%}[/]  "
        f"[dim]idle {snapshot.idle:.0%}[/]",
    )
    rows.add_row(
        "batch",
        ProgressBar(total=snapshot.requests, completed=snapshot.done, width=BAR_COLUMNS),
        f"done {snapshot.done} of {snapshot.requests}, {snapshot.in_flight} in flight",
    )
    counts = (
        f"batch: {snapshot.deferred} deferred, {snapshot.batch_refused} refused; "
        f"interactive: {snapshot.interactive_calls} served, {snapshot.interactive_refused} refused"
    )
    return Panel(
        Group(
            rows,
            Text(counts, style="dim"),
            # a line, however long: a panel that changes its height jumps
            Text(f"believed: {snapshot.belief}", style="dim", no_wrap=True, overflow="ellipsis"),
        ),
        title=f"filling the idle part of a PTU  {snapshot.seconds:.0f} s",
        title_align="left",
        expand=False,
    )


def load_bar(snapshot: Snapshot) -> Text:
    """The PTU's capacity as one bar: who uses how much of it."""
    interactive = min(BAR_COLUMNS, round(snapshot.interactive * BAR_COLUMNS))
    batch = min(BAR_COLUMNS - interactive, round(snapshot.batch * BAR_COLUMNS))
    return Text.assemble(
        ("█" * interactive, "cyan"),
        ("▓" * batch, "green"),
        ("░" * (BAR_COLUMNS - interactive - batch), "dim"),
    )


@contextlib.contextmanager
def open_view(*, quiet_stdout: bool) -> Iterator[View]:
    """The right view for where we are; with `quiet_stdout` everything goes to stderr."""
    out = sys.stderr if quiet_stdout else sys.stdout
    if not out.isatty():
        yield PlainView(out)
        return
    console = Console(stderr=quiet_stdout)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield LiveView(live)
