"""Counters: so that a test can state "two creates and no read"."""

from __future__ import annotations

from azure.cosmos.aio import ContainerProxy

from local.cosmos import CosmosServer
from tests.local.cosmos.support import counters_of, query, refused

NAME = "ptu/requests"


async def test_single_operations_are_counted_by_kind(
    server: CosmosServer, requests: ContainerProxy
) -> None:
    await requests.create_item({"id": "1", "slice": "s"})
    await requests.create_item({"id": "2", "slice": "s"})
    counts = server.counters.of(NAME)
    assert counts["creates"] == 2
    assert counts["reads"] == 0
    with refused(409):
        await requests.create_item({"id": "1", "slice": "s"})
    await requests.upsert_item({"id": "1", "slice": "s"})
    await requests.replace_item("1", {"id": "1", "slice": "s"})
    await requests.read_item("1", "s")
    await query(requests, "SELECT * FROM c", "s")
    await requests.delete_item("1", "s")
    assert dict(server.counters.of(NAME)) == {
        "creates": 3,
        "upserts": 1,
        "replaces": 1,
        "deletes": 1,
        "reads": 1,
        "queries": 1,
        "batches": 0,
        "batch_operations": 0,
        "conflicts": 1,
        "faults": 0,
    }


async def test_a_batch_is_counted_as_one_and_by_its_operations(
    server: CosmosServer, requests: ContainerProxy
) -> None:
    await requests.execute_item_batch(
        [("create", ({"id": str(n), "slice": "s"},)) for n in range(5)], partition_key="s"
    )
    counts = server.counters.of(NAME)
    assert (counts["batches"], counts["batch_operations"], counts["creates"]) == (1, 5, 5)


async def test_what_a_fault_refused_is_counted_apart(
    server: CosmosServer, requests: ContainerProxy
) -> None:
    server.faults.fail_writes()
    with refused(408):
        await requests.create_item({"id": "1", "slice": "s"})
    counts = server.counters.of(NAME)
    assert (counts["creates"], counts["faults"]) == (0, 1)


async def test_counts_are_also_told_over_http(
    server: CosmosServer, requests: ContainerProxy
) -> None:
    await requests.create_item({"id": "1", "slice": "s"})
    told = await counters_of(server.url)
    assert told["total"]["creates"] == 1
    assert told["containers"] == {NAME: server.counters.of(NAME)}
    server.counters.reset()
    assert server.counters.total()["creates"] == 0
