"""A worker that ends is replaced: at once at first, then more and more slowly."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from local.host.errors import DrainingError, HostError
from local.host.worker_process import WorkerProcess
from local.host.worker_slot import WorkerSlot, restart_pause
from local.virtual_time import in_virtual_time


class FakeProcess:
    """A worker process that ends when the test says so."""

    def __init__(self) -> None:
        self._end = asyncio.Event()

    @property
    def alive(self) -> bool:
        return not self._end.is_set()

    async def wait(self) -> None:
        await self._end.wait()

    async def stop(self) -> None:
        self._end.set()

    def die(self) -> None:
        self._end.set()


class Launcher:
    """Starts fake workers, and remembers when."""

    def __init__(self, refusals: int = 0) -> None:
        self.times: list[float] = []
        self.processes: list[FakeProcess] = []
        self.refusals = refusals

    async def __call__(self) -> WorkerProcess:
        self.times.append(round(asyncio.get_running_loop().time(), 2))
        if len(self.times) > 1 and self.refusals > 0:
            self.refusals -= 1
            raise HostError("it does not start")
        self.processes.append(FakeProcess())
        return cast(WorkerProcess, self.processes[-1])


def test_pauses_grow_with_every_early_death_up_to_a_limit() -> None:
    pauses = [restart_pause(failures) for failures in range(8)]
    assert pauses == [0, 0.5, 1, 2, 4, 8, 10, 10]


@in_virtual_time
async def test_a_worker_that_ends_is_replaced_at_once() -> None:
    launcher = Launcher()
    slot = WorkerSlot("all", launcher)
    await slot.start()
    launcher.processes[0].die()
    assert await slot.ready() is cast(WorkerProcess, launcher.processes[1])
    assert (slot.restarts, launcher.times) == (1, [0, 0])
    await slot.stop()


@in_virtual_time
async def test_one_that_keeps_ending_is_replaced_more_slowly_until_it_has_been_healthy() -> None:
    launcher = Launcher()
    slot = WorkerSlot("all", launcher)
    await slot.start()
    for number in range(4):
        await slot.ready()
        launcher.processes[number].die()
        await asyncio.sleep(0)
    await slot.ready()
    assert launcher.times == [0, 0, 0.5, 1.5, 3.5]
    await asyncio.sleep(20)
    launcher.processes[4].die()
    await asyncio.sleep(0.1)
    assert launcher.times[5] == pytest.approx(23.5)
    await slot.stop()


@in_virtual_time
async def test_a_replacement_that_does_not_start_is_tried_again() -> None:
    launcher = Launcher(refusals=2)
    slot = WorkerSlot("all", launcher)
    await slot.start()
    launcher.processes[0].die()
    await slot.ready()
    assert len(launcher.times) == 4
    await slot.stop()


@in_virtual_time
async def test_a_launch_that_a_library_cancels_is_tried_again() -> None:
    class Cancelled(Launcher):
        async def __call__(self) -> WorkerProcess:
            if len(self.times) == 1:
                self.times.append(asyncio.get_running_loop().time())
                raise asyncio.CancelledError("an inner call was cancelled")
            return await super().__call__()

    launcher = Cancelled()
    slot = WorkerSlot("all", launcher)
    await slot.start()
    launcher.processes[0].die()
    assert await slot.ready() is cast(WorkerProcess, launcher.processes[1])
    await slot.stop()


@in_virtual_time
async def test_a_worker_that_ends_while_the_host_drains_is_not_replaced() -> None:
    launcher = Launcher()
    slot = WorkerSlot("all", launcher)
    await slot.start()
    await slot.drain()
    launcher.processes[0].die()
    await asyncio.sleep(100)
    assert (slot.restarts, len(launcher.times)) == (0, 1)
    await slot.stop()


@in_virtual_time
async def test_who_waits_for_a_replacement_is_told_when_the_host_drains() -> None:
    launcher = Launcher(refusals=10**6)
    slot = WorkerSlot("all", launcher)
    await slot.start()
    launcher.processes[0].die()
    waiting = asyncio.create_task(slot.ready())
    await asyncio.sleep(1)
    await slot.drain()
    with pytest.raises(DrainingError):
        await waiting
    await slot.stop()
