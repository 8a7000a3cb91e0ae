"""A loop in the background that a cancellation can neither stop by accident nor make immortal.

Each step runs in a task of its own, and this decides who cancelled what:

- A library raises CancelledError inside a step, or cancels the task that it runs in: the step has
  failed, and the next one follows.
- A library swallows the cancellation of a step: the loop looks at its flag before each step, so
  none follows.
- The loop's own task is cancelled, as `asyncio.run` does at its end: the loop ends. It never waits
  for anything but asyncio itself, so nothing can swallow that.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

AGAIN_SECONDS: Final = 0.5
"""Between two cancellations of a step that goes on: time enough to clean up after the first."""

WITHIN_SECONDS: Final = 5.0
"""How long `stop` cancels a step before it abandons it."""

Step = Callable[[], Coroutine[Any, Any, float | None]]


class Background:
    """Repeats `step` between `start` and `stop`, or while somebody is inside `active`."""

    def __init__(
        self,
        step: Step,
        *,
        interval: float,
        log: logging.Logger,
        failed: str,
        last: Step | None = None,
        first_after: float = 0.0,
    ) -> None:
        """`interval` is the pause between two steps; a step may return another one, in seconds.

        An error of a step is logged as `failed`, and the next step follows. `last` runs once at
        the end, unless the loop is cut off. `first_after` delays the first step.
        """
        self._step = step
        self._interval = interval
        self._log = log
        self._failed = failed
        self._last = last
        self._first_after = first_after
        self._inside = 0
        self._started = self._stopping = self._cut_off = False
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._in_hand: asyncio.Task[float | None] | None = None

    def start(self) -> None:
        """Begin, until `stop`. Without effect while it runs."""
        self._started = True
        self._begin()

    @asynccontextmanager
    async def active(self) -> AsyncIterator[None]:
        """Run while at least one caller is inside; the last one does not wait for the end."""
        self._inside += 1
        self._begin()
        try:
            yield
        finally:
            self._inside -= 1

    def wake(self) -> None:
        """End the pause: the next step is due now."""
        self._wake.set()

    async def stop(self, *, grace: float = 0.0, within: float = WITHIN_SECONDS) -> None:
        """End the loop. Takes `grace` and `within` at the most, in seconds.

        For `grace` the step in hand and the last one may go on. Without it the loop is cut off: no
        last step. A step that still goes on is cancelled again and again, and abandoned in the
        end. A step may stop its own loop; the loop then ends after the step.
        """
        loop = self._loop
        if loop is None or loop.done():
            return
        self._stopping, self._started = True, False
        self._cut_off = self._cut_off or not grace
        self._wake.set()
        if self._in_hand is asyncio.current_task():
            return
        try:
            if grace:
                await asyncio.wait({loop}, timeout=grace)
        finally:  # also if the caller is cancelled meanwhile
            loop.cancel()
        await asyncio.wait({loop})
        if self._in_hand is not None:
            await end(self._in_hand, log=self._log, within=within)

    def _begin(self) -> None:
        if self._loop is None or self._loop.done():
            self._stopping = self._cut_off = False
            self._loop = asyncio.create_task(self._run())

    def _goes_on(self) -> bool:
        return not self._stopping and (self._started or self._inside > 0)

    async def _run(self) -> None:
        while self._goes_on():
            self._wake.clear()
            await self._pause(self._first_after)
            while self._goes_on():
                self._wake.clear()  # a wake during the step counts
                pause = await self._one(self._step)
                await self._pause(self._interval if pause is None else pause)
            # a caller that enters meanwhile still finds this loop, and must not wait in vain
            if self._last is not None and not self._cut_off:
                await self._one(self._last)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()

    async def _one(self, step: Step) -> float | None:
        self._in_hand = task = asyncio.create_task(step())
        task.add_done_callback(_noticed)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:  # this loop is cut off, or the program ends
            task.cancel()
            raise
        try:
            return task.result()
        except (Exception, asyncio.CancelledError) as error:  # nobody awaits this loop
            self._log.error(self._failed, exc_info=error)
            return None


async def end(
    task: asyncio.Task[Any],
    *,
    log: logging.Logger,
    grace: float = 0.0,
    within: float = WITHIN_SECONDS,
) -> None:
    """Cancel a task again and again until it ends; after `within` seconds, abandon it.

    For `grace` seconds it may end by itself. Its error is not raised: the caller does not want
    what it does any more.
    """
    task.add_done_callback(_noticed)
    try:
        await asyncio.wait({task}, timeout=grace)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not task.cancelling():  # else it has just been cancelled, and may clean up
        task.cancel()
    for _ in range(math.ceil(within / AGAIN_SECONDS)):
        if task.done():
            return
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
        task.cancel()
    if not task.done():
        log.warning("a background step is abandoned", extra={"seconds": within})


def ends_this_task(error: BaseException) -> bool:
    """Whether `error` is the cancellation of the current task itself, not one from inside it.

    Where a loop has no step of its own: `except (Exception, CancelledError) as error`, and raise
    it if it is.
    """
    task = asyncio.current_task()
    ours = task is not None and task.cancelling() > 0
    return ours and isinstance(error, asyncio.CancelledError)


def _noticed(task: asyncio.Task[Any]) -> None:
    """Read the error of an abandoned step, so that asyncio does not report it."""
    if not task.cancelled():
        task.exception()
