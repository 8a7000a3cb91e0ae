"""The whole app in virtual time: a library's cancellation does not keep it from sending."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.control.making import process_of, world_of
from benchmarks.control.processes import track_processes
from benchmarks.control.row import Row
from benchmarks.control.scenarios import A
from benchmarks.control.store import CapacityContainer
from local.virtual_time import in_virtual_time

ROW = Row(scenario=replace(A, most_seconds=600.0), bucket_seconds=60.0, processes=1, signals="live")
A_WHILE = 60.0


class CancelledOnce(CapacityContainer):
    """One read raises CancelledError, as an SDK does whose own task was cancelled."""

    cancels = False

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[dict[str, object]]:
        if self.cancels:
            self.cancels = False
            raise asyncio.CancelledError("an inner call was cancelled")
        return await super().changed(deployment, since=since, kinds=kinds)


@in_virtual_time
async def test_a_process_goes_on_sending_after_a_cancelled_read_of_capacity() -> None:
    track_processes(asyncio.get_running_loop())
    world, _ = world_of(ROW)
    world.capacity = capacity = CancelledOnce()
    process = process_of(ROW, world, None, 0, 0)
    process.start()
    await asyncio.sleep(A_WHILE)
    before = world.plant.sent
    assert before > 100, "it does not send: nothing is shown"
    capacity.cancels = True
    await asyncio.sleep(A_WHILE)
    assert not capacity.cancels, "it was never cancelled: nothing is shown"
    assert world.plant.sent - before > before / 2
    process.kill()
