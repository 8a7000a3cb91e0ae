"""Time to live, on a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from local.cosmos import CosmosServer
from local.cosmos.items import PURGE_ROWS
from tests.local.cosmos.support import QUICK, Clock, query, refused

PK = "s"


def item(item_id: str = "1", **more: Any) -> dict[str, Any]:
    return {"id": item_id, "slice": PK, **more}


async def test_an_item_is_there_until_its_ttl_is_over_and_gone_from_then_on(
    clock: Clock, requests: ContainerProxy
) -> None:
    await requests.create_item(item(ttl=10))
    clock.advance(9.9)
    assert (await requests.read_item("1", PK))["ttl"] == 10
    clock.advance(0.1)
    with refused(404):
        await requests.read_item("1", PK)


@pytest.mark.parametrize("ttl", [None, -1], ids=["no ttl", "minus one"])
async def test_with_a_default_of_minus_one_items_live_on(
    clock: Clock, requests: ContainerProxy, ttl: int | None
) -> None:
    await requests.create_item(item() if ttl is None else item(ttl=ttl))
    clock.advance(10 * 365 * 86_400)
    assert (await requests.read_item("1", PK))["id"] == "1"


async def test_an_id_can_be_created_again_once_it_has_expired(
    clock: Clock, requests: ContainerProxy
) -> None:
    first = await requests.create_item(item(ttl=10))
    clock.advance(10)
    second = await requests.create_item(item(n=2))
    assert second["_etag"] != first["_etag"]
    assert (await requests.read_item("1", PK))["n"] == 2


async def test_no_write_meets_an_expired_item(clock: Clock, requests: ContainerProxy) -> None:
    for item_id in "123":
        await requests.create_item(item(item_id, ttl=10))
    clock.advance(10)
    with refused(404):
        await requests.replace_item("1", item("1"))
    with refused(404):
        await requests.delete_item("2", PK)
    results = await requests.execute_item_batch([("upsert", (item("3"),))], partition_key=PK)
    assert results[0]["statusCode"] == 201


async def test_no_query_sees_an_expired_item(clock: Clock, requests: ContainerProxy) -> None:
    await requests.create_item(item("1", ttl=10))
    await requests.create_item(item("2", ttl=20))
    clock.advance(10)
    assert await query(requests, "SELECT VALUE c.id FROM c", PK) == ["2"]
    assert await query(requests, "SELECT VALUE COUNT(1) FROM c", PK) == [1]


async def test_a_write_starts_the_time_anew(clock: Clock, requests: ContainerProxy) -> None:
    await requests.create_item(item(ttl=10))
    clock.advance(9)
    await requests.upsert_item(item(ttl=10))
    clock.advance(9)
    assert (await requests.read_item("1", PK))["_ts"] == int(clock.now) - 9
    await requests.upsert_item(item(ttl=-1))
    clock.advance(1_000)
    assert (await requests.read_item("1", PK))["ttl"] == -1


@pytest.mark.parametrize(
    ("default", "own", "gone_after"),
    [
        pytest.param(60, None, 60, id="the container's default"),
        pytest.param(60, 10, 10, id="the item's own instead"),
        pytest.param(60, -1, None, id="the item lives on"),
        pytest.param(None, 10, None, id="TTL is off: the item's own says nothing"),
    ],
)
async def test_default_and_own_ttl(
    clock: Clock,
    server: CosmosServer,
    default: int | None,
    own: int | None,
    gone_after: int | None,
) -> None:
    async with CosmosClient.from_connection_string(server.connection_string, **QUICK) as client:
        container = await client.get_database_client("ptu").create_container(
            "ttl", PartitionKey("/slice"), default_ttl=default
        )
        await container.create_item(item() if own is None else item(ttl=own))
        clock.advance((gone_after or 10_000) - 1)
        assert await container.read_item("1", PK)
        clock.advance(1)
        if gone_after is None:
            assert await container.read_item("1", PK)
        else:
            with refused(404):
                await container.read_item("1", PK)


async def test_what_has_expired_is_purged_in_the_end(
    clock: Clock, server: CosmosServer, requests: ContainerProxy
) -> None:
    expected = PURGE_ROWS + 100
    for start in range(0, expected, 100):
        await requests.execute_item_batch(
            [("create", (item(str(start + index), ttl=10),)) for index in range(100)],
            partition_key=PK,
        )
    await requests.create_item(item("stays"))
    clock.advance(10)
    assert server.stored_rows() == expected + 1
    await server.purge()
    assert server.stored_rows() == 1
