"""Timers and output bindings through real hosts, real leases and the real Cosmos DB SDK."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos.aio import CosmosClient

from local.cosmos import CosmosServer
from tests.local.host.support import HostProcess, Notes, until

EVERY_SECOND = "* * * * * *"


class System:
    """Storage, a database and notes that several hosts may share."""

    def __init__(self, folder: Path, storage: str, cosmos: CosmosServer) -> None:
        self.notes = Notes(folder / "notes")
        self._folder = folder
        self._cosmos = cosmos
        self._values = {
            "AzureWebJobsStorage": storage,
            "COSMOS": cosmos.connection_string,
            "NOTES": str(self.notes.folder),
            # Hosts with the same id share locks; tests do not.
            "AzureFunctionsWebHost__hostid": f"test-{folder.name}".lower(),
        }

    async def host(self, tick: str = EVERY_SECOND) -> HostProcess:
        """Start one more host."""
        return await HostProcess.start("timers", self._folder, {**self._values, "TICK": tick})

    async def documents(self, container: str) -> list[dict[str, Any]]:
        """All documents of a container."""
        async with CosmosClient.from_connection_string(self._cosmos.connection_string) as client:
            found = client.get_database_client("ptu").get_container_client(container)
            query = found.query_items("SELECT * FROM c", partition_key="a")
            return [document async for document in query]


@pytest.fixture
async def system(tmp_path: Path, storage: str) -> AsyncIterator[System]:
    schema = tmp_path / "containers.json"
    keys = {"partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}}
    schema.write_text(json.dumps([{"id": name, **keys} for name in ("first", "second")]))
    async with CosmosServer(schema=schema) as cosmos:
        yield System(tmp_path, storage, cosmos)


async def test_a_timer_fires_on_one_of_several_hosts_and_moves_when_that_one_stops(
    system: System,
) -> None:
    async with await system.host() as first:
        await until(lambda: len(system.notes.all("tick")) >= 2, "two ticks")
        (holder,) = (await first.worker_pids()).values()
        async with await system.host() as second:
            (other,) = (await second.worker_pids()).values()
            await until(lambda: len(system.notes.all("tick")) >= 4, "two more")
            assert {note["pid"] for note in system.notes.all("tick")} == {holder}
            first.terminate()
            assert await first.ended() == 0
            await until(lambda: any(n["pid"] == other for n in system.notes.all("tick")), "other")
    ticks = Counter(note["number"] for note in system.notes.all("tick"))
    assert max(ticks.values()) == 1, "no tick twice"


async def test_outputs_are_upserted_into_their_containers(system: System) -> None:
    async with await system.host():
        await until(lambda: len(system.notes.all("tick")) >= 3, "three ticks")
        ended = system.notes.all("tick")[1]["number"]
        documents: list[dict[str, Any]] = []
        async with asyncio.timeout(10):
            while len(documents) < 6:
                documents = await system.documents("second")
        (latest,) = (d for d in await system.documents("first"))
    assert {f"{ended}-{n}" for n in range(3)} <= {document["id"] for document in documents}
    assert latest["id"] == "latest"
    assert latest["number"] >= ended


async def test_run_on_startup_fires_at_once_and_the_outputs_of_a_failure_are_dropped(
    system: System,
) -> None:
    async with await system.host(tick="0 0 0 1 1 *"):
        await until(lambda: bool(system.notes.all("startup")), "the first run")
        assert [note["past_due"] for note in system.notes.all("startup")] == [False]
        assert await system.documents("first") == []
