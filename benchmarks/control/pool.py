"""Rows on all cores, the longest first: each in a process of its own kind, none shares memory."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from benchmarks.control.play import play
from benchmarks.control.row import Result, Row
from benchmarks.throughput.progress import View


class RowFailed(Exception):
    """A row could not be played; the cause says why."""


def play_all(rows: Sequence[Row], *, view: View) -> list[Result]:
    """The results in the order of the rows. Raises RowFailed."""
    workers = min(len(rows), os.cpu_count() or 1)
    with (
        view.step("rows", len(rows)) as step,
        ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_quiet
        ) as pool,
    ):
        longest_first = sorted(rows, key=lambda row: -row.weight)
        running: dict[Future[Result], Row] = {pool.submit(play, row): row for row in longest_first}
        results: dict[Row, Result] = {}
        try:
            for done, future in enumerate(as_completed(running), 1):
                row = running[future]
                try:
                    results[row] = future.result()
                except Exception as error:
                    raise RowFailed(f"{row.title}: {error}") from error
                step(done)
                view.say(_line(results[row], done, len(rows)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[row] for row in rows]


def _line(result: Result, done: int, of: int) -> str:
    found = result.figures
    return (
        f"{done}/{of} {result.row.title}: ratio {found.ratio:.4f}, "
        f"{found.extra_refused_share:.3%} refused beyond, {result.wall_seconds:.1f} s"
    )


def _quiet() -> None:
    """What the app warns of is what a row measures: refusals, and gates that close."""
    logging.getLogger("ptu_optimizer").setLevel(logging.ERROR)
