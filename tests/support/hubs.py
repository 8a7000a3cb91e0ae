"""Reading a hub as any client would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from azure.eventhub.aio import EventHubConsumerClient

from tests.support.polling import until

Message = tuple[str, bytes]
"""The partition that it lies in, and its body."""


async def read_hub(
    connection_string: str, hub: str, *, enough: Callable[[list[Message]], bool]
) -> list[Message]:
    """Everything on a hub from its start on, once that is enough."""
    found: list[Message] = []

    async def take(partition: Any, batch: list[Any]) -> None:
        found.extend((partition.partition_id, b"".join(message.body)) for message in batch)

    async with EventHubConsumerClient.from_connection_string(
        connection_string, "$Default", eventhub_name=hub, load_balancing_interval=0.1
    ) as consumer:
        reading = asyncio.create_task(
            consumer.receive_batch(take, starting_position="-1", max_wait_time=0.1)
        )
        await until(lambda: enough(found), f"enough on {hub}")
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return found
