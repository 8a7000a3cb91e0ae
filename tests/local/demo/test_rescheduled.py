"""The count of re-scheduled requests ends with the demo, whatever the hub's client does."""

from __future__ import annotations

import asyncio
from typing import Any

from azure.eventhub.exceptions import EventHubError

from local.demo.rescheduled import CLOSE_SECONDS, LOOK_SECONDS, Rescheduled
from local.virtual_time import in_virtual_time
from ptu_optimizer.background import WITHIN_SECONDS


def state(*, first: int, last: int) -> dict[str, Any]:
    return {
        "beginning_sequence_number": first,
        "last_enqueued_sequence_number": last,
        "is_empty": last < first,
    }


class Hub:
    """The client of a hub with two partitions."""

    def __init__(self) -> None:
        self.states = [state(first=0, last=-1), state(first=10, last=12)]
        self.looks = 0
        self.closed = False

    async def get_partition_ids(self) -> list[str]:
        self.looks += 1
        return ["0", "1"]

    async def get_partition_properties(self, partition_id: str) -> dict[str, Any]:
        return self.states[int(partition_id)]

    async def close(self) -> None:
        self.closed = True


@in_virtual_time
async def test_what_was_published_is_counted_again_and_again() -> None:
    hub = Hub()
    async with Rescheduled(hub) as rescheduled:
        await asyncio.sleep(1)
        assert rescheduled.count == 3
        hub.states[0] = state(first=0, last=3)
        await asyncio.sleep(LOOK_SECONDS)
        assert rescheduled.count == 7
    assert hub.closed


@in_virtual_time
async def test_a_hub_that_is_away_keeps_the_last_count() -> None:
    class Away(Hub):
        async def get_partition_ids(self) -> list[str]:
            if self.looks:
                raise EventHubError("the connection is gone")
            return await super().get_partition_ids()

    async with Rescheduled(Away()) as rescheduled:
        await asyncio.sleep(5 * LOOK_SECONDS)
        assert rescheduled.count == 3


@in_virtual_time
async def test_a_client_that_swallows_the_cancellation_does_not_keep_it_running() -> None:
    """So does azure-eventhub while it asks for a partition's properties."""

    class Swallowing(Hub):
        async def get_partition_properties(self, partition_id: str) -> dict[str, Any]:
            try:
                await asyncio.sleep(1e6)
            except asyncio.CancelledError:
                await asyncio.sleep(0.01)
            return await super().get_partition_properties(partition_id)

    hub = Swallowing()
    async with Rescheduled(hub):
        await asyncio.sleep(1)
    assert hub.closed
    await asyncio.sleep(60)
    assert hub.looks == 1


@in_virtual_time
async def test_a_client_that_never_ends_costs_seconds_only() -> None:
    class Hanging(Hub):
        async def get_partition_ids(self) -> list[str]:
            await self.close()
            return []

        async def close(self) -> None:
            while asyncio.get_running_loop().time() < 100:
                try:
                    await asyncio.sleep(1e6)
                except asyncio.CancelledError:
                    continue

    loop = asyncio.get_running_loop()
    async with Rescheduled(Hanging()):
        await asyncio.sleep(1)
    assert loop.time() <= 1 + CLOSE_SECONDS + 2 * WITHIN_SECONDS + 1
    await asyncio.sleep(100)  # past it the client lets go, so that the test's loop can end
