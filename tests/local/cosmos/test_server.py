"""The server as a process and on disk: start, durability, end, and what stops it from starting."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import sqlite3
import struct
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.cosmos.aio import CosmosClient

from local.cosmos import EMULATOR_KEY, SCHEMA, CosmosServer
from local.cosmos.database import FILE_NAME
from local.cosmos.indexing import IndexingPolicy
from local.serving import StartError
from tests.local.cosmos.support import DEADLINE_SECONDS, counters_of, query

APP_CONTAINERS = {
    "groups": "/bucket",
    "requests": "/slice",
    "capacity": "/deployment",
    "dead_letters": "/bucket",
}


async def definitions(connection_string: str, database: str = "ptu") -> dict[str, Any]:
    async with CosmosClient.from_connection_string(connection_string) as client:
        listed = client.get_database_client(database).list_containers()
        return {each["id"]: each async for each in listed}


@contextlib.asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[Process, str]]:
    """`python -m local.cosmos` on a free port, and the url that it said."""
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.cosmos", "--port", "0", *arguments), stdout=PIPE, stderr=PIPE
    )
    try:
        assert started.stdout is not None
        line = await asyncio.wait_for(started.stdout.readline(), DEADLINE_SECONDS)
        word, url = line.decode().split()
        assert word == "ready"
        yield started, url
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


def connection_string(url: str, key: str = EMULATOR_KEY) -> str:
    return f"AccountEndpoint={url}/;AccountKey={key};"


async def test_the_apps_containers_are_there_from_the_start() -> None:
    async with CosmosServer(schema=SCHEMA) as server:
        found = await definitions(server.connection_string)
    assert {
        name: each["partitionKey"]["paths"][0] for name, each in found.items()
    } == APP_CONTAINERS
    assert {each["defaultTtl"] for each in found.values()} == {-1}
    indexing = IndexingPolicy.parse(found["requests"]["indexingPolicy"])
    assert indexing.indexes(("request_id",))
    assert not any(indexing.indexes((name, "x")) for name in ("body", "response", "error"))
    assert not IndexingPolicy.parse(found["groups"]["indexingPolicy"]).indexes(("items", "x"))


async def test_what_was_acknowledged_survives_a_killed_process(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    async with (
        process("--data", str(tmp_path)) as (server, url),
        CosmosClient.from_connection_string(connection_string(url)) as client,
    ):
        container = client.get_database_client("ptu").get_container_client("requests")
        for index in range(40):
            await container.create_item({"id": str(index), "slice": "s"})
            acknowledged.append(str(index))
        await container.execute_item_batch(
            [("create", ({"id": f"b{n}", "slice": "s"},)) for n in range(10)],
            partition_key="s",
        )
        acknowledged += [f"b{n}" for n in range(10)]
        server.kill()
        await server.wait()
    async with CosmosServer(data=tmp_path, schema=SCHEMA) as again:
        assert await definitions(again.connection_string)
        async with CosmosClient.from_connection_string(again.connection_string) as client:
            container = client.get_database_client("ptu").get_container_client("requests")
            found = await query(container, "SELECT VALUE c.id FROM c", "s")
            assert found == acknowledged
            created = await container.create_item({"id": "new", "slice": "s"})
            rids = await query(container, "SELECT VALUE c._rid FROM c", "s")
            assert created["_rid"] in rids
            assert len(set(rids)) == len(rids)


async def test_a_container_of_an_older_version_gets_a_resource_id_that_dotnet_can_read(
    tmp_path: Path,
) -> None:
    async with CosmosServer(data=tmp_path, schema=SCHEMA) as server:
        current = await definitions(server.connection_string)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as file, file:
        for number, body in file.execute("SELECT number, body FROM containers").fetchall():
            older = base64.b64encode(struct.pack("<II", 1, number)).decode()
            changed = json.dumps({**json.loads(body), "_rid": older, "_self": "older"})
            file.execute("UPDATE containers SET body = ? WHERE number = ?", (changed, number))
    async with CosmosServer(data=tmp_path, schema=SCHEMA) as again:
        assert await definitions(again.connection_string) == current


async def test_a_process_ends_within_a_second_though_clients_are_connected() -> None:
    async with process() as (server, url), aiohttp.ClientSession() as session:
        async with session.get(f"{url}/_local/counters") as answer:
            assert answer.status == 200
        started = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(server.wait(), DEADLINE_SECONDS) == 0
        assert time.monotonic() - started < 1


async def test_database_schema_and_key_can_be_chosen(tmp_path: Path) -> None:
    schema = tmp_path / "containers.json"
    schema.write_text(json.dumps([{"id": "one", "partitionKey": {"paths": ["/x"]}}]))
    options = ("--database", "other", "--schema", str(schema), "--key", "bWluZQ==")
    async with process(*options) as (_, url):
        found = await definitions(connection_string(url, "bWluZQ=="), "other")
        assert list(found) == ["one"]
        assert (await counters_of(url))["total"]["creates"] == 0


async def test_the_schema_leaves_what_exists_alone(tmp_path: Path) -> None:
    async with CosmosServer(data=tmp_path, schema=SCHEMA) as server:
        first = await definitions(server.connection_string)
    async with CosmosServer(data=tmp_path, schema=SCHEMA) as server:
        assert await definitions(server.connection_string) == first


async def test_a_taken_port_is_named() -> None:
    async with CosmosServer() as server:
        with pytest.raises(StartError, match=rf"{server.port} is taken.*--port"):
            await CosmosServer(port=server.port).start()


async def test_a_data_directory_has_one_server(tmp_path: Path) -> None:
    async with CosmosServer(data=tmp_path):
        with pytest.raises(StartError, match="another server is using it"):
            await CosmosServer(data=tmp_path).start()
    async with CosmosServer(data=tmp_path):
        pass


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"host": "0.0.0.0"}, "loopback", id="an address of the network"),
        pytest.param({"key": "%"}, "--key", id="a key that is not base64"),
        pytest.param({"consistency": "Some"}, "--consistency", id="an unknown consistency"),
        pytest.param({"schema": Path("none.json")}, "--schema none.json", id="no schema file"),
        pytest.param({"schema": SCHEMA, "database": "a/b"}, "--database a/b", id="a bad name"),
    ],
)
async def test_what_cannot_be_stops_the_start(options: dict[str, Any], named: str) -> None:
    with pytest.raises(StartError, match=named):
        await CosmosServer(**options).start()


async def test_a_schema_that_azure_would_refuse_stops_the_start(tmp_path: Path) -> None:
    schema = tmp_path / "containers.json"
    schema.write_text(json.dumps([{"id": "one", "partitionKey": {"paths": ["x"]}}]))
    with pytest.raises(StartError, match=r"container one: .*partition key path 'x'"):
        await CosmosServer(schema=schema).start()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "cosmos.sqlite").write_bytes(
        b"not a database, but long enough to be looked at " * 9
    )
    with pytest.raises(StartError, match="--data"):
        await CosmosServer(data=tmp_path).start()
