"""The app's processes: each with an application of its own, on partitions of the three hubs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import ContextVar
from typing import Any

from benchmarks.control.hubs import Partition
from benchmarks.control.services import Wire
from ptu_optimizer.composition.application import Application
from ptu_optimizer.ports.hubs import Delivery

RETRY_SECONDS = 5.0
"""As the triggers' retry policy says."""

START_WITHIN_SECONDS = 1.0
"""Processes start one after another: else they would do everything at the same moments."""

RESTART_SECONDS = 5.0
"""From a process's death until another one has its partitions."""

_log = logging.getLogger(__name__)
_here: ContextVar[Process | None] = ContextVar("process", default=None)


class Process:
    """One process. What is not in its application's memory, it does not know."""

    def __init__(
        self,
        *,
        wire: Wire,
        application: Application,
        partitions: Sequence[Partition],
        batch_size: int,
    ) -> None:
        self.wire = wire
        self.application = application
        self.partitions = partitions
        self._batch_size = batch_size
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        token = _here.set(self)
        try:
            for partition in self.partitions:
                asyncio.get_running_loop().create_task(self._read(partition))
        finally:
            _here.reset(token)

    def kill(self) -> None:
        """Everything it does ends now, and nothing of it reaches the world any more."""
        self.wire.cut = True
        for task in list(self._tasks):
            task.cancel()

    def adopt(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.wire.cut:
            task.cancel()

    async def _read(self, partition: Partition) -> None:
        """As the trigger does: a batch at a time, again when its function fails."""
        while True:
            events = await partition.peek(self._batch_size)
            delivery = Delivery(hub=partition.hub, partition=str(partition.number), events=events)
            await self._dispatch(delivery)
            partition.done(len(events))

    async def _dispatch(self, delivery: Delivery) -> None:
        while True:
            try:
                await self.application.dispatcher.dispatch(delivery)
            except Exception:
                _log.exception("a batch failed and comes again")
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return


def track_processes(loop: asyncio.AbstractEventLoop) -> None:
    """Let every task belong to the process in which it was begun."""

    def begin(
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
        process = _here.get()
        if process is not None:
            process.adopt(task)
        return task

    loop.set_task_factory(begin)


class Fleet:
    """The processes of a row; numbers say who reads which partitions."""

    def __init__(self, make: Callable[[int, int], Process], *, count: int) -> None:
        """`make(number, life)`: the process of a number, in its first life or a later one."""
        self._make = make
        self._lives = [0] * count
        self._processes = [make(number, 0) for number in range(count)]

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        for number, process in enumerate(self._processes):
            loop.call_later(START_WITHIN_SECONDS * number / len(self._processes), process.start)

    def kill(self, wire: Wire) -> None:
        """Kill the process behind a wire, and start its successor a little later."""
        for number, process in enumerate(self._processes):
            if process.wire is wire:
                process.kill()
                asyncio.get_running_loop().call_later(RESTART_SECONDS, self._restart, number)

    def stop(self) -> None:
        for process in self._processes:
            process.kill()

    def _restart(self, number: int) -> None:
        self._lives[number] += 1
        self._processes[number] = self._make(number, self._lives[number])
        self._processes[number].start()
