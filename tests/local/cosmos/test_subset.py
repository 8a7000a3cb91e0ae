"""What this server refuses though Azure knows it: clearly, with 400, and by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.cosmos import CosmosServer
from tests.local.cosmos.support import QUICK, query

Do = Callable[[ContainerProxy], Awaitable[Any]]


async def _all(feed: Any) -> list[Any]:
    return [each async for each in feed]


@pytest.mark.parametrize(
    ("do", "named"),
    [
        pytest.param(
            lambda items: _all(items.query_items("SELECT * FROM c")),
            "Cross partition queries",
            id="query over partitions",
        ),
        pytest.param(
            lambda items: _all(items.query_items("SELECT * FROM c ORDER BY c.n")),
            "Cross partition queries",
            id="sorted query over partitions",
        ),
        pytest.param(
            lambda items: _all(items.read_all_items()), "crosses partitions", id="all items"
        ),
        pytest.param(
            lambda items: items.patch_item("1", "s", [{"op": "add", "path": "/n", "value": 1}]),
            "patch",
            id="patch",
        ),
        pytest.param(
            lambda items: items.execute_item_batch(
                [("patch", ("1", [{"op": "add", "path": "/n", "value": 1}]))], partition_key="s"
            ),
            "patch",
            id="patch in a batch",
        ),
        pytest.param(
            lambda items: _all(items.query_items_change_feed(partition_key="s")),
            "change feed",
            id="change feed",
        ),
        pytest.param(
            lambda items: query(items, "SELECT c.a FROM c GROUP BY c.a", "s"), "GROUP", id="SQL"
        ),
        pytest.param(lambda items: items.get_throughput(), "offers", id="throughput"),
        pytest.param(
            lambda items: _all(items.scripts.list_stored_procedures()), "sprocs", id="procedures"
        ),
    ],
)
async def test_of_items(requests: ContainerProxy, do: Do, named: str) -> None:
    with pytest.raises(CosmosHttpResponseError, match=named) as caught:
        await do(requests)
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    ("key", "more", "named"),
    [
        pytest.param(
            PartitionKey(["/a", "/b"], kind="MultiHash"), {}, "hierarchical", id="hierarchy"
        ),
        pytest.param(
            PartitionKey("/a"),
            {"unique_key_policy": {"uniqueKeys": [{"paths": ["/x"]}]}},
            "uniqueKeyPolicy",
            id="unique keys",
        ),
        pytest.param(
            PartitionKey("/a"),
            {"analytical_storage_ttl": -1},
            "analyticalStorageTtl",
            id="analytical store",
        ),
        pytest.param(
            PartitionKey("/a"),
            {"indexing_policy": {"includedPaths": [{"path": "/a/?"}]}},
            "mandatory indexing path",
            id="no path for the rest",
        ),
        pytest.param(PartitionKey("/a"), {"default_ttl": 0}, "DefaultTimeToLive", id="ttl zero"),
    ],
)
async def test_of_containers(
    server: CosmosServer, key: Any, more: dict[str, Any], named: str
) -> None:
    async with CosmosClient.from_connection_string(server.connection_string, **QUICK) as client:
        database = client.get_database_client("ptu")
        with pytest.raises(CosmosHttpResponseError, match=named) as caught:
            await database.create_container("x", key, **more)
        assert caught.value.status_code == 400
