"""Run a coroutine until it ends or somebody asks the process to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

STOPPED = 130
"""The exit code of a program that was stopped by Ctrl-C, by the shells' convention."""


def run_until_stopped(main: Coroutine[Any, Any, int]) -> int:
    """The exit code of `main`. Ctrl-C, SIGTERM and SIGHUP cancel it, so that it can clean up."""
    return asyncio.run(_cancelled_by_signals(main))


async def _cancelled_by_signals(main: Coroutine[Any, Any, int]) -> int:
    task = asyncio.create_task(main)
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def stop(number: int) -> None:
        if not asked:  # a second one must not interrupt the cleaning up
            print("\nstopping ...", file=sys.stderr, flush=True)
            task.cancel()
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not asked:
            raise
        return STOPPED
