"""What the tests of the local Cosmos DB share: a stepped clock, an account, expected refusals."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

DEADLINE_SECONDS = 15.0
"""How long a real socket may take; nothing waits that long when all is well."""

QUICK: dict[str, Any] = {"retry_total": 0, "retry_throttle_total": 1, "connection_timeout": 5}
"""Client options: one try each, and one more on 429, which is the least."""


class Clock:
    """The time of day, which moves on when a test says so."""

    def __init__(self, now: float | None = None) -> None:
        self.now = float(int(time.time())) if now is None else now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`, and fail naming `what` if it does not come."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {DEADLINE_SECONDS:g} s in vain for {what}")
        await asyncio.sleep(0.001)


@contextlib.contextmanager
def refused(status: int) -> Iterator[pytest.ExceptionInfo[CosmosHttpResponseError]]:
    """The SDK raises, for this status."""
    with pytest.raises(CosmosHttpResponseError) as caught:
        yield caught
    assert caught.value.status_code == status, caught.value


_INDEXING: dict[str, Any] = {
    "indexingMode": "consistent",
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": "/body/*"}, {"path": '/"_etag"/?'}],
    "compositeIndexes": [
        [{"path": "/a", "order": "ascending"}, {"path": "/b", "order": "descending"}]
    ],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Some account: this server's, Microsoft's emulator's or Azure's, and a database of ours."""

    connection_string: str
    client: CosmosClient
    database: DatabaseProxy
    items: ContainerProxy
    """Partition key `/pk`, TTL enabled; sorts by `a` and then `b` descending."""

    @property
    def endpoint(self) -> str:
        """With a slash at its end."""
        return dict(part.split("=", 1) for part in self.connection_string.rstrip(";").split(";"))[
            "AccountEndpoint"
        ]


@contextlib.asynccontextmanager
async def account_at(connection_string: str) -> AsyncIterator[Account]:
    """An account with a fresh database, which is deleted in the end."""
    async with CosmosClient.from_connection_string(connection_string) as client:
        database = await client.create_database(f"ptu-contract-{uuid.uuid4().hex[:12]}")
        try:
            items = await database.create_container(
                "items",
                PartitionKey("/pk"),
                default_ttl=-1,
                indexing_policy=_INDEXING,
            )
            yield Account(
                connection_string=connection_string, client=client, database=database, items=items
            )
        finally:
            await client.delete_database(database)


def partition() -> str:
    """A partition key that no other test uses."""
    return uuid.uuid4().hex


async def query(container: ContainerProxy, text: str, pk: Any, /, **parameters: Any) -> list[Any]:
    """All results of a query in one partition."""
    return [
        item
        async for item in container.query_items(
            text,
            parameters=[{"name": f"@{name}", "value": value} for name, value in parameters.items()],
            partition_key=pk,
        )
    ]


async def counters_of(url: str) -> Any:
    """`GET /_local/counters`."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/_local/counters") as answer:
        return await answer.json()
