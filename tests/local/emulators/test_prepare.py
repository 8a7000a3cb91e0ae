"""What prepares Microsoft's emulators, with the real SDK over real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.cosmos import CosmosServer
from local.emulators.prepare import DEFINITIONS, NotReady, _container, prepare
from tests.support.azurite import free_port

CONTAINERS: list[dict[str, Any]] = json.loads(DEFINITIONS.read_text())
NAMES = [definition["id"] for definition in CONTAINERS]


@pytest.fixture
async def cosmos() -> AsyncIterator[CosmosServer]:
    async with CosmosServer() as server:
        yield server


async def run(cosmos: CosmosServer, *health_urls: str, seconds: float = 10) -> list[str]:
    return await prepare(
        connection_string=cosmos.connection_string,
        database="ptu",
        health_urls=health_urls,
        seconds=seconds,
        pause_seconds=0.01,
    )


async def test_every_container_is_made_as_it_is_defined_and_again_changes_nothing(
    cosmos: CosmosServer,
) -> None:
    assert await run(cosmos) == NAMES
    assert await run(cosmos) == NAMES
    async with CosmosClient.from_connection_string(cosmos.connection_string) as client:
        database = client.get_database_client("ptu")
        for definition in CONTAINERS:
            found = await database.get_container_client(definition["id"]).read()
            assert found["partitionKey"]["paths"] == definition["partitionKey"]["paths"]
            assert found["defaultTtl"] == -1
            if "indexingPolicy" in definition:
                policy = definition["indexingPolicy"]
                assert found["indexingPolicy"]["includedPaths"] == policy["includedPaths"]


async def test_it_waits_until_what_it_is_told_of_is_healthy(cosmos: CosmosServer) -> None:
    answers = iter([503, 503, 200])
    asked: list[int] = []

    async def health(_: web.Request) -> web.Response:
        asked.append(next(answers))
        return web.Response(status=asked[-1])

    application = web.Application()
    application.add_routes([web.get("/health", health)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        await run(cosmos, f"http://127.0.0.1:{runner.addresses[0][1]}/health")
    finally:
        await runner.cleanup()
    assert asked == [503, 503, 200]


async def test_what_does_not_come_up_is_named(cosmos: CosmosServer) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/health"
    with pytest.raises(NotReady, match=nowhere):
        await run(cosmos, nowhere, seconds=0)


async def test_a_cosmos_db_that_does_not_come_up_is_named() -> None:
    address = f"AccountEndpoint=http://127.0.0.1:{free_port()}/;AccountKey=a2V5;"
    with pytest.raises(NotReady, match="Cosmos DB"):
        await prepare(
            connection_string=address,
            database="ptu",
            health_urls=[],
            seconds=0,
            pause_seconds=0.01,
        )


class FakeDatabase:
    """An emulator that does not know indexing policies, or nothing at all."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.made: list[dict[str, Any]] = []

    async def create_container_if_not_exists(self, name: str, **options: Any) -> None:
        if "indexing_policy" in options or self._status == 403:
            raise CosmosHttpResponseError(status_code=self._status, message="no")
        self.made.append({"id": name, **options})


async def test_an_emulator_that_refuses_indexing_policies_gets_the_container_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = FakeDatabase(400)
    await _container(database, CONTAINERS[0])  # type: ignore[arg-type]
    (made,) = database.made
    assert (made["id"], made["default_ttl"]) == (NAMES[0], -1)
    assert "without its indexing policy" in capsys.readouterr().out


async def test_any_other_refusal_is_not_taken_for_that() -> None:
    with pytest.raises(CosmosHttpResponseError):
        await _container(FakeDatabase(403), CONTAINERS[0])  # type: ignore[arg-type]
