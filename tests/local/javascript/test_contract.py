"""Microsoft's JavaScript clients, as they come from npm, against the local servers.

One Node.js runs every check at once and says how each of them ended; here, each is a test. The
checks are in `event_hubs.mjs` and `cosmos.mjs`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from local.cosmos import SCHEMA, CosmosServer
from local.dev.paths import ROOT
from local.event_hubs import EventHubsServer
from tests.local.javascript.clients import HERE, Clients, Missing, ensure

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 120.0
"""How long Node.js may take on a busy machine; it ends each check after half of that."""

PARTITIONS = 4

EVENT_HUBS = (
    "hub properties",
    "partition properties",
    "a batch keeps its events, in order",
    "events of a partition key share a partition",
    "events of a partition id go there",
    "events with neither go round",
    "a full batch takes no more",
    "a message of more than a mebibyte is refused",
    "read from the earliest",
    "read from an offset",
    "read from a sequence number",
    "read from a time",
    "read what comes from now on",
    "an offset that does not exist is refused",
    "the last event is tracked",
    "two subscribers share the partitions",
    "a subscriber takes over where another left off",
    "a higher owner level disconnects the older reader",
    "a lower owner level is refused",
    "an unknown hub is named",
    "a wrong key is refused",
)
COSMOS = (
    "create and read",
    "an id is taken once in a partition",
    "upsert with a partition key",
    "upsert without a partition key",
    "a missing item is 404",
    "a stale etag is 412",
    "an unchanged item is not sent again",
    "delete",
    "a query in one partition",
    "a count in one partition",
    "a query's pages, and on from a continuation",
    "all items of a partition",
    "a batch is whole or not at all",
    "a query over partitions is refused by name",
    "patch is refused by name",
    "bulk operations are refused by name",
    "the change feed is refused by name",
    "stored procedures are refused by name",
    "throughput is refused by name",
    "a unique key is refused by name",
    "a wrong account key is 401",
    "databases and containers",
)


def ticking_clock() -> Any:
    """A clock that is never twice at the same millisecond: no two events have the same time."""
    ticks = itertools.count()
    started = time.time()
    return lambda: started + next(ticks) / 1000


@pytest.fixture(scope="module")
def clients() -> Clients:
    """Node.js with the packages; skips where they cannot be had."""
    try:
        return ensure()
    except Missing as reason:
        pytest.skip(str(reason))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes(clients: Clients, storage: str) -> AsyncIterator[Mapping[str, str | None]]:
    """What went wrong with each check; None where nothing did."""
    names = [re.sub("[^a-z]+", "-", check) for check in EVENT_HUBS]
    hubs = dict.fromkeys(names, PARTITIONS)
    async with (
        EventHubsServer(hubs=hubs, clock=ticking_clock()) as event_hubs,
        CosmosServer() as cosmos,
    ):
        connections = {
            "eventHubs": event_hubs.connection_string,
            "cosmos": cosmos.connection_string,
            "storage": storage,
        }
        output = await run_node(clients, str(HERE / "run.mjs"), json.dumps(connections))
        found = [json.loads(line) for line in output.splitlines()]
        yield {each["name"]: each["error"] for each in found}


async def run_node(clients: Clients, *arguments: str) -> str:
    """What a script of ours prints."""
    process = await asyncio.create_subprocess_exec(
        clients.node,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "CLIENTS": str(clients.folder)},
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return output.decode()


@pytest.mark.parametrize("check", EVENT_HUBS)
async def test_event_hubs(outcomes: Mapping[str, str | None], check: str) -> None:
    assert outcomes[check] is None, outcomes[check]


@pytest.mark.parametrize("check", COSMOS)
async def test_cosmos(outcomes: Mapping[str, str | None], check: str) -> None:
    assert outcomes[check] is None, outcomes[check]


async def test_every_check_is_a_test(outcomes: Mapping[str, str | None]) -> None:
    assert sorted(outcomes) == sorted((*EVENT_HUBS, *COSMOS))


async def test_the_example_sends_and_reads_every_event_and_an_item(
    clients: Clients, tmp_path: Path
) -> None:
    # a copy beside the packages: Node.js looks for them where the script is
    example = clients.folder / "example.mjs"
    shutil.copyfile(ROOT / "examples" / "local_clients.mjs", example)
    async with (
        EventHubsServer(hubs={"requests": PARTITIONS}) as event_hubs,
        CosmosServer(schema=SCHEMA) as cosmos,
    ):
        settings = tmp_path / "local.settings.json"
        values = {"EVENT_HUBS": event_hubs.connection_string, "COSMOS": cosmos.connection_string}
        settings.write_text(json.dumps({"Values": values}))
        once = await run_node(clients, str(example), str(settings))
        twice = await run_node(clients, str(example), str(settings))
    assert [text.count("partition ") for text in (once, twice)] == [2, 4]
    assert "Cosmos DB: [ { id: 'from-node', reason: 'a try' } ]" in twice
