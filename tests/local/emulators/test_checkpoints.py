"""Checkpoints that are older than the hubs are deleted, with the real SDKs over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
from azure.storage.blob.aio import ContainerClient

from local.emulators.checkpoints import CONTAINER, forget_old
from local.emulators.prepare import NotReady, forget_checkpoints, main
from local.event_hubs import EventHubsServer
from tests.support.azurite import azurite, free_port

NOW = datetime.now(UTC).replace(microsecond=0)


class FakeHubs:
    """Hubs that were created at a time, and whose partitions end at a number."""

    def __init__(self, *, created_at: datetime, ends_at: int) -> None:
        self._created_at, self._ends_at = created_at, ends_at
        self.asked: list[str] = []

    async def created_at(self, hub: str) -> datetime:
        self.asked.append(hub)
        return self._created_at

    async def last_sequence_number(self, hub: str, partition: str) -> int:
        self.asked.append(f"{hub}/{partition}")
        return self._ends_at


@pytest.fixture
async def own_storage() -> AsyncIterator[str]:
    """A blob service of its own: what is tested deletes a container that others use."""
    async with azurite() as connection_string:
        yield connection_string


async def write_checkpoint(storage: str, sequence_number: int) -> None:
    """As the consumer and the Functions host write one."""
    async with ContainerClient.from_connection_string(storage, CONTAINER) as container:
        await container.create_container()
    async with BlobCheckpointStore.from_connection_string(storage, CONTAINER) as store:
        await store.update_checkpoint(
            {
                "fully_qualified_namespace": "localhost",
                "eventhub_name": "requests",
                "consumer_group": "$Default",
                "partition_id": "0",
                "sequence_number": sequence_number,
                "offset": "1",
            }
        )


async def exists(storage: str) -> bool:
    async with ContainerClient.from_connection_string(storage, CONTAINER) as container:
        return bool(await container.exists())


@pytest.mark.parametrize(
    ("created_at", "ends_at", "deleted"),
    [
        pytest.param(NOW - timedelta(hours=1), 7, False, id="of these hubs, all is read"),
        pytest.param(NOW - timedelta(hours=1), 90, False, id="of these hubs, some waits"),
        pytest.param(NOW - timedelta(hours=1), 6, True, id="points just behind the end"),
        pytest.param(NOW - timedelta(hours=1), -1, True, id="of an empty partition"),
        pytest.param(NOW + timedelta(hours=1), 90, True, id="hubs are newer, and have grown"),
    ],
)
async def test_checkpoints_are_deleted_only_if_they_are_older_than_the_hubs(
    own_storage: str, created_at: datetime, ends_at: int, deleted: bool
) -> None:
    await write_checkpoint(own_storage, 7)
    hubs = FakeHubs(created_at=created_at, ends_at=ends_at)
    assert await forget_old(storage=own_storage, hubs=hubs) is deleted
    assert await exists(own_storage) is not deleted


async def test_where_nothing_was_read_yet_nothing_is_asked(own_storage: str) -> None:
    hubs = FakeHubs(created_at=NOW, ends_at=0)
    assert await forget_old(storage=own_storage, hubs=hubs) is False
    assert hubs.asked == []


async def test_after_a_restart_of_the_hubs_the_checkpoints_are_gone_and_before_it_they_stay(
    own_storage: str,
) -> None:
    async with EventHubsServer(hubs={"requests": 1}) as server:
        producer = EventHubProducerClient.from_connection_string(
            server.connection_string, eventhub_name="requests"
        )
        async with producer:
            await producer.send_batch([EventData(b"{}") for _ in range(3)])
        await write_checkpoint(own_storage, 2)
        assert not await forget(server, own_storage)
    async with EventHubsServer(hubs={"requests": 1}) as server:
        assert await forget(server, own_storage)
        assert not await exists(own_storage)


async def forget(server: EventHubsServer, storage: str) -> bool:
    return await forget_checkpoints(
        event_hubs=server.connection_string, storage=storage, seconds=20, pause_seconds=0.01
    )


async def test_a_storage_that_does_not_come_up_is_named() -> None:
    nowhere = (
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;"
        f"BlobEndpoint=http://127.0.0.1:{free_port()}/a;"
    )
    with pytest.raises(NotReady, match="checkpoints"):
        await forget_checkpoints(event_hubs="", storage=nowhere, seconds=0, pause_seconds=0.01)


def test_hubs_without_a_storage_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--event-hubs", "Endpoint=sb://localhost"])
    assert "belong together" in capsys.readouterr().err
