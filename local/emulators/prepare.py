"""``python -m local.emulators.prepare``: wait for the emulators, then make the app's containers.

The Event Hubs emulator takes its hubs from a file; the Cosmos DB emulator has to be told. The
definitions are those of the local system, `local/cosmos/containers.json`, in Cosmos DB's own words.
Checkpoints that are older than the hubs are deleted (`checkpoints.py`). Ends with 0 when everything
is there; running it again changes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
from azure.core.exceptions import AzureError
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient, DatabaseProxy
from azure.cosmos.exceptions import CosmosHttpResponseError
from azure.eventhub.exceptions import EventHubError

from local.emulators.checkpoints import CONTAINER, EmulatedHubs, forget_old

DEFINITIONS = Path(__file__).parents[1] / "cosmos" / "containers.json"

EMULATOR = (
    "AccountEndpoint=https://localhost:8081/;"
    "AccountKey=C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==;"
)
"""The emulators' published key, the same everywhere: no secret."""

PAUSE_SECONDS = 1.0


class NotReady(Exception):
    """An emulator did not come up in time."""


async def prepare(
    *,
    connection_string: str,
    database: str,
    health_urls: Sequence[str],
    seconds: float,
    pause_seconds: float = PAUSE_SECONDS,
) -> list[str]:
    """Make what is missing; the names of the containers. Raises NotReady after `seconds`."""
    until = time.monotonic() + seconds
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        for url in health_urls:
            await _healthy(session, url, until=until, pause=pause_seconds)
    while True:
        try:
            return await _make(connection_string, database)
        except (AzureError, OSError) as error:
            if time.monotonic() > until:
                raise NotReady(f"Cosmos DB: {error}") from error
        await asyncio.sleep(pause_seconds)


async def forget_checkpoints(
    *,
    event_hubs: str,
    storage: str,
    seconds: float,
    pause_seconds: float = PAUSE_SECONDS,
) -> bool:
    """Delete the checkpoints if the hubs are newer; whether they were. Raises NotReady."""
    until = time.monotonic() + seconds
    while True:
        try:
            async with EmulatedHubs(event_hubs) as hubs:
                return await forget_old(storage=storage, hubs=hubs)
        except (AzureError, EventHubError, OSError) as error:
            if time.monotonic() > until:
                raise NotReady(f"checkpoints: {error}") from error
        await asyncio.sleep(pause_seconds)


async def _healthy(session: aiohttp.ClientSession, url: str, *, until: float, pause: float) -> None:
    problem = ""
    while True:
        try:
            async with session.get(url) as answer:
                if answer.status == 200:
                    return
                problem = f"status {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            problem = f"{type(error).__name__}: {error}"
        if time.monotonic() > until:
            raise NotReady(f"{url}: {problem}")
        await asyncio.sleep(pause)


async def _make(connection_string: str, name: str) -> list[str]:
    definitions: list[dict[str, Any]] = json.loads(DEFINITIONS.read_text(encoding="utf-8"))
    client = CosmosClient.from_connection_string(connection_string)
    try:  # not entered: that asks the account, and leaves what it has opened if there is none
        database = await client.create_database_if_not_exists(name)
        for definition in definitions:
            await _container(database, definition)
    finally:
        await client.close()
    return [definition["id"] for definition in definitions]


async def _container(database: DatabaseProxy, definition: dict[str, Any]) -> None:
    """Make one. The emulator refuses indexing policies in some of its versions ("Create collection
    with custom index policy: not yet implemented"); it then gets the container without."""
    key = definition["partitionKey"]
    options: dict[str, Any] = {
        "partition_key": PartitionKey(
            path=key["paths"][0], kind=key["kind"], version=key["version"]
        ),
        "default_ttl": definition["defaultTtl"],
    }
    policy = definition.get("indexingPolicy")
    try:
        await database.create_container_if_not_exists(
            definition["id"], **options, **({"indexing_policy": policy} if policy else {})
        )
    except CosmosHttpResponseError as error:
        if policy is None or error.status_code not in (400, 501):
            raise
        print(f"{definition['id']}: without its indexing policy, which was refused", flush=True)
        await database.create_container_if_not_exists(definition["id"], **options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare; 1 if an emulator did not come up."""
    parser = argparse.ArgumentParser(
        prog="python -m local.emulators.prepare",
        description="Wait for Microsoft's emulators and make the app's Cosmos DB containers.",
    )
    add = parser.add_argument
    add("--cosmos", default=EMULATOR, metavar="CONNECTION_STRING", help="of the emulator")
    add("--database", default="ptu", help="to be made (%(default)s)")
    add("--health", action="append", default=[], metavar="URL", help="wait until it answers 200")
    add("--seconds", type=float, default=180.0, help="to wait at most (%(default)g)")
    add("--event-hubs", metavar="CONNECTION_STRING", help="of the emulator, with --storage")
    add(
        "--storage",
        metavar="CONNECTION_STRING",
        help="of Azurite: delete its checkpoints if the hubs are newer",
    )
    given = parser.parse_args(arguments)
    if bool(given.event_hubs) != bool(given.storage):
        parser.error("--event-hubs and --storage belong together")
    try:
        asyncio.run(_run(given))
    except NotReady as error:
        print(f"not ready: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(given: argparse.Namespace) -> None:
    made = await prepare(
        connection_string=given.cosmos,
        database=given.database,
        health_urls=given.health,
        seconds=given.seconds,
    )
    if given.storage and await forget_checkpoints(
        event_hubs=given.event_hubs, storage=given.storage, seconds=given.seconds
    ):
        print(f"{CONTAINER}: deleted, as its checkpoints are older than the hubs", flush=True)
    print(f"ready: {given.database} with {', '.join(made)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
