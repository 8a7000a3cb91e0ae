"""How often requests were re-scheduled: what has been published on the hub for it."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from azure.eventhub.aio import EventHubConsumerClient
from azure.eventhub.exceptions import EventHubError

HUB = "requests-later"
LOOK_SECONDS = 2.0


class Rescheduled:
    """Keeps `count` fresh while it is entered."""

    def __init__(self, connection: str) -> None:
        self.count = 0
        self._client = EventHubConsumerClient.from_connection_string(
            connection, consumer_group="$Default", eventhub_name=HUB
        )
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._client.close()

    async def _look(self) -> None:
        while True:
            with contextlib.suppress(EventHubError):  # a figure on the screen, no more
                partitions = await self._client.get_partition_ids()
                states = [await self._client.get_partition_properties(p) for p in partitions]
                self.count = sum(
                    state["last_enqueued_sequence_number"] - state["beginning_sequence_number"] + 1
                    for state in states
                    if not state["is_empty"]
                )
            await asyncio.sleep(LOOK_SECONDS)
