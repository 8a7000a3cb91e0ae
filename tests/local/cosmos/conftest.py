"""Where the contract tests find an account, and a server for the tests that look inside one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from azure.cosmos.aio import ContainerProxy, CosmosClient

from local.cosmos import SCHEMA, CosmosServer
from tests.local.cosmos.support import QUICK, Account, Clock, account_at
from tests.local.cosmos.wire import Wire


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def account() -> AsyncIterator[Account]:
    """The account that the contract is checked against.

    PTU_TEST_COSMOS, an account's connection string, points the contract at Azure or at Microsoft's
    emulator, where it makes a database and deletes it in the end. Without it, a server is started
    here.
    """
    elsewhere = os.environ.get("PTU_TEST_COSMOS")
    if elsewhere:
        async with account_at(elsewhere) as there:
            yield there
        return
    async with CosmosServer() as server, account_at(server.connection_string) as here:
        yield here


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[CosmosServer]:
    """A server in this process, in memory, with the app's containers, whose time stands still."""
    async with CosmosServer(schema=SCHEMA, clock=clock) as started:
        yield started


@pytest.fixture
async def requests(server: CosmosServer) -> AsyncIterator[ContainerProxy]:
    """The container `requests` of that server, through a client that tries once."""
    async with CosmosClient.from_connection_string(server.connection_string, **QUICK) as client:
        yield client.get_database_client("ptu").get_container_client("requests")


@pytest.fixture
async def wire(server: CosmosServer) -> AsyncIterator[Wire]:
    """Raw requests to that server."""
    async with aiohttp.ClientSession() as session:
        yield Wire(session, server.url)
