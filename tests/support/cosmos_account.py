"""The app's containers on a local Cosmos DB account, with the real SDK over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from azure.cosmos.aio import ContainerProxy

from local.cosmos import CosmosServer
from local.cosmos.faults import Operation
from local.cosmos.schema import SCHEMA
from ptu_optimizer.adapters.cosmos import cosmos_client
from ptu_optimizer.adapters.identity import Identity

DATABASE = "ptu"


def app_account(**options: object) -> CosmosServer:
    """A server in memory with the app's containers, to be entered."""
    return CosmosServer(schema=SCHEMA, database=DATABASE, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def container(
    server: CosmosServer, name: str, *, connection_string: str | None = None
) -> AsyncIterator[ContainerProxy]:
    """A container as the app's adapters are handed it."""
    client = cosmos_client(
        connection_string=connection_string or server.connection_string,
        endpoint=None,
        identity=Identity(client_id=None),
    )
    try:  # not entered: the app does not either, and is told of a bad key by its first operation
        yield client.get_database_client(DATABASE).get_container_client(name)
    finally:
        await client.close()


def kind(*kinds: str) -> Callable[[Operation], bool]:
    """For a fault's `where`: operations of these kinds."""
    return lambda operation: operation.kind in kinds


def of_item(item_id: str) -> Callable[[Operation], bool]:
    """For a fault's `where`: operations that concern this item."""
    return lambda operation: item_id in operation.ids
