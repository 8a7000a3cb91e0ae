"""What a run shows of itself on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

REFRESHES_PER_SECOND = 2
"""Drawing takes time from what is measured."""


class View(Protocol):
    """Where a run shows itself."""

    def say(self, message: str) -> None:
        """Something happened."""
        ...

    def step(self, title: str, total: int) -> contextlib.AbstractContextManager[Step]:
        """Something that has a known number of things to do; call the step with how many are."""
        ...


Step = Callable[[int], None]


class LiveView:
    """One bar a step, which goes when the step ends."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def say(self, message: str) -> None:
        self._progress.console.print(message, highlight=False)

    @contextlib.contextmanager
    def step(self, title: str, total: int) -> Iterator[Step]:
        task = self._progress.add_task(title, total=total)
        try:
            yield lambda done: self._progress.update(task, completed=done)
        finally:
            self._progress.remove_task(task)


class PlainView:
    """A line when a step ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, message: str) -> None:
        self._console.print(message, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def step(self, title: str, total: int) -> Iterator[Step]:
        started = time.monotonic()
        yield lambda done: None
        self.say(f"{title}: {total} in {time.monotonic() - started:.1f} s")


@contextlib.contextmanager
def open_view() -> Iterator[View]:
    """On stderr: stdout is for the figures."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainView(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
    ) as progress:
        yield LiveView(progress)
