"""Injected faults: what a client meets, and what is kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.cosmos import CosmosServer, Operation
from tests.local.cosmos.support import QUICK, query, refused, until

PK = "s"


def item(item_id: str = "1", **more: Any) -> dict[str, Any]:
    return {"id": item_id, "slice": PK, **more}


async def ids(container: ContainerProxy) -> list[Any]:
    return await query(container, "SELECT VALUE c.id FROM c", PK)


@pytest.mark.parametrize("status", [408, 500])
async def test_a_write_that_fails_before_commit_leaves_nothing(
    server: CosmosServer, requests: ContainerProxy, status: int
) -> None:
    server.faults.fail_writes(2, status=status, where=lambda operation: operation.ids == ("1",))
    for _ in range(2):
        with refused(status):
            await requests.create_item(item())
    await requests.create_item(item("2"))
    await requests.create_item(item("1"))
    assert await ids(requests) == ["2", "1"]
    assert server.faults.waiting == 0


@pytest.mark.parametrize("status", [None, 408, 500], ids=["connection dropped", "408", "500"])
async def test_a_write_whose_answer_is_lost_is_kept(
    server: CosmosServer, requests: ContainerProxy, status: int | None
) -> None:
    await requests.read()  # the SDK learns the partition key first
    server.faults.lose_answers(status=status)
    with pytest.raises(AzureError):
        await requests.create_item(item())
    assert await ids(requests) == ["1"]
    with refused(409):
        await requests.create_item(item())


@pytest.mark.parametrize("status", [None, 503], ids=["connection dropped", "503"])
async def test_the_sdk_repeats_a_create_by_itself_and_then_conflicts_with_itself(
    server: CosmosServer, status: int | None
) -> None:
    """So a 409 does not say that someone else was here."""
    async with CosmosClient.from_connection_string(server.connection_string) as client:
        container = client.get_database_client("ptu").get_container_client("requests")
        await container.read()
        server.faults.lose_answers(status=status)
        with refused(409):
            await container.create_item(item())
        assert server.counters.of("ptu/requests")["creates"] == 2


async def test_a_batch_whose_answer_is_lost_is_kept_whole(
    server: CosmosServer, requests: ContainerProxy
) -> None:
    server.faults.lose_answers(status=408)
    with refused(408):
        await requests.execute_item_batch(
            [("create", (item("1"),)), ("create", (item("2"),))], partition_key=PK
        )
    assert await ids(requests) == ["1", "2"]


async def test_reads_and_queries_are_spared_by_faults_of_writes(
    server: CosmosServer, requests: ContainerProxy
) -> None:
    await requests.create_item(item())
    server.faults.fail_writes(1)
    assert await requests.read_item("1", PK)
    assert await ids(requests) == ["1"]
    assert server.faults.waiting == 1


async def test_the_sdk_waits_as_long_as_a_429_says_and_then_succeeds(server: CosmosServer) -> None:
    async with CosmosClient.from_connection_string(server.connection_string) as client:
        container = client.get_database_client("ptu").get_container_client("requests")
        server.faults.throttle(2, retry_after_ms=1)
        created = await container.create_item(item())
        assert created["id"] == "1"
        assert server.faults.waiting == 0


async def test_a_429_names_its_wait(server: CosmosServer, requests: ContainerProxy) -> None:
    server.faults.throttle(2, retry_after_ms=25)
    with pytest.raises(CosmosHttpResponseError) as caught:
        await requests.create_item(item())
    assert caught.value.status_code == 429
    assert caught.value.sub_status == 3200
    assert caught.value.headers["x-ms-retry-after-ms"] == "25"


async def test_a_held_write_is_overtaken(server: CosmosServer, requests: ContainerProxy) -> None:
    await requests.read()

    def first(operation: Operation) -> bool:
        return operation.kind == "create" and operation.ids == ("slow",)

    server.faults.delay(0.2, where=first)

    async def quick() -> None:
        await until(lambda: server.faults.waiting == 0, "the slow one to be held")
        await requests.create_item(item("quick"))

    await asyncio.gather(requests.create_item(item("slow")), quick())
    assert await ids(requests) == ["quick", "slow"]


async def test_a_fault_can_be_aimed_at_a_container_and_a_kind(
    server: CosmosServer, requests: ContainerProxy
) -> None:
    seen: list[Operation] = []

    def never(operation: Operation) -> bool:
        seen.append(operation)
        return False

    server.faults.throttle(where=never)
    await requests.upsert_item(item())
    await requests.execute_item_batch(
        [("read", ("1",)), ("create", (item("2"),))], partition_key=PK
    )
    assert {(each.kind, each.container, each.partition, each.ids) for each in seen} == {
        ("upsert", "requests", '["s"]', ("1",)),
        ("batch", "requests", '["s"]', ("1", "2")),
    }
    server.faults.clear()
    assert not server.faults.active


async def test_a_fault_strikes_at_least_once(server: CosmosServer) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        server.faults.fail_writes(0)


async def test_a_dropped_connection_is_one_only(server: CosmosServer) -> None:
    async with CosmosClient.from_connection_string(server.connection_string, **QUICK) as client:
        container = client.get_database_client("ptu").get_container_client("requests")
        await container.read()
        server.faults.lose_answers(where=lambda operation: operation.ids == ("1",))
        results = await asyncio.gather(
            *(container.create_item(item(str(index))) for index in range(5)),
            return_exceptions=True,
        )
        assert [isinstance(result, Exception) for result in results] == [
            index == 1 for index in range(5)
        ]
        assert len(await ids(container)) == 5
