"""How often requests were re-scheduled: what has been published on the hub for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol, Self

from azure.eventhub.aio import EventHubConsumerClient
from azure.eventhub.exceptions import EventHubError

from local.demo.kept_fresh import KeptFresh, log
from ptu_optimizer.background import end

HUB = "requests-later"
LOOK_SECONDS = 2.0
CLOSE_SECONDS = 2.0
"""How long the client may take to end its connections before it is cut off."""


class Client(Protocol):
    """The part of the SDK's EventHubConsumerClient that is used."""

    async def get_partition_ids(self) -> list[str]: ...

    async def get_partition_properties(self, partition_id: str) -> dict[str, Any]: ...

    async def close(self) -> None: ...


class Rescheduled(KeptFresh):
    """Keeps `count` fresh while it is entered."""

    def __init__(self, client: Client, *, look_seconds: float = LOOK_SECONDS) -> None:
        """It closes the client."""
        super().__init__(look_seconds=look_seconds, failed="counting re-scheduled requests failed")
        self.count = 0
        self._client = client

    @classmethod
    def of(cls, connection: str) -> Self:
        """For the hub of a namespace."""
        return cls(
            EventHubConsumerClient.from_connection_string(
                connection, consumer_group="$Default", eventhub_name=HUB
            )
        )

    async def _left(self) -> None:
        closing = asyncio.create_task(self._client.close())
        await end(closing, log=log, grace=CLOSE_SECONDS)

    async def _look(self) -> None:
        with contextlib.suppress(EventHubError):  # a figure on the screen, no more
            partitions = await self._client.get_partition_ids()
            states = [await self._client.get_partition_properties(p) for p in partitions]
            self.count = sum(
                state["last_enqueued_sequence_number"] - state["beginning_sequence_number"] + 1
                for state in states
                if not state["is_empty"]
            )
