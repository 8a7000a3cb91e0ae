"""Checkpoints that are older than the hubs: the Event Hubs emulator forgets all at a restart.

Azurite keeps the checkpoints over such a restart. They then point behind the end of the new, empty
hubs ("The supplied sequence number … is invalid"), and no event is read until the hubs have grown
beyond them. So they are deleted, all together, as the hubs are new all together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol

from azure.core.exceptions import ResourceNotFoundError
from azure.eventhub.aio import EventHubConsumerClient
from azure.storage.blob.aio import ContainerClient

CONTAINER = "azure-webjobs-eventhub"
"""The Functions host's own. It makes it again at its start."""

CONSUMER_GROUP = "$Default"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """How far a partition has been read, by the last reader."""

    hub: str
    partition: str
    sequence_number: int | None
    written_at: datetime


class Hubs(Protocol):
    """What is asked of the hubs as they are now."""

    async def created_at(self, hub: str) -> datetime: ...

    async def last_sequence_number(self, hub: str, partition: str) -> int:
        """-1 of an empty partition."""


class EmulatedHubs:
    """``async with EmulatedHubs(connection_string) as hubs:`` asks by AMQP."""

    def __init__(self, connection_string: str) -> None:
        self._connection_string = connection_string
        self._clients: dict[str, EventHubConsumerClient] = {}

    async def __aenter__(self) -> EmulatedHubs:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        for client in self._clients.values():
            await client.close()

    async def created_at(self, hub: str) -> datetime:
        properties: Mapping[str, Any] = await self._client(hub).get_eventhub_properties()
        found: datetime = properties["created_at"]
        return found

    async def last_sequence_number(self, hub: str, partition: str) -> int:
        properties = await self._client(hub).get_partition_properties(partition)
        return int(properties["last_enqueued_sequence_number"])

    def _client(self, hub: str) -> EventHubConsumerClient:
        if hub not in self._clients:
            self._clients[hub] = EventHubConsumerClient.from_connection_string(
                self._connection_string, CONSUMER_GROUP, eventhub_name=hub
            )
        return self._clients[hub]


async def forget_old(*, storage: str, hubs: Hubs) -> bool:
    """Delete the checkpoints' container if one of them is older than its hub; whether one was."""
    # no retries of its own: `prepare` asks again until its time is over
    async with ContainerClient.from_connection_string(
        storage, CONTAINER, retry_total=0
    ) as container:
        for checkpoint in await _checkpoints(container):
            if await _is_older(checkpoint, hubs):
                await container.delete_container()
                return True
    return False


async def _checkpoints(container: ContainerClient) -> list[Checkpoint]:
    found = []
    try:
        async for blob in container.list_blobs(include=["metadata"]):
            # NAMESPACE/HUB/GROUP/checkpoint/PARTITION
            match blob.name.split("/"):
                case [*_, hub, _, "checkpoint", partition]:
                    number = (blob.metadata or {}).get("sequencenumber", "")
                    found.append(
                        Checkpoint(
                            hub=hub,
                            partition=partition,
                            sequence_number=int(number) if number.isdigit() else None,
                            written_at=blob.last_modified,
                        )
                    )
    except ResourceNotFoundError:
        return []
    return found


async def _is_older(checkpoint: Checkpoint, hubs: Hubs) -> bool:
    # storage tells whole seconds
    created = (await hubs.created_at(checkpoint.hub)).replace(microsecond=0)
    if created > checkpoint.written_at:
        return True
    if checkpoint.sequence_number is None:
        return False
    last = await hubs.last_sequence_number(checkpoint.hub, checkpoint.partition)
    return checkpoint.sequence_number > last
