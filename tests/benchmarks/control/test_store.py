"""The store between the processes: a second from write to read, and nothing but bytes."""

import asyncio

from benchmarks.control.store import CapacityContainer, LedgerContainer
from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import Created


def record(record_id: str = "reading:a", **more: object) -> JsonObject:
    return {"id": record_id, "deployment": "ptu", "type": "reading", **more}


async def read(store: CapacityContainer, *, since: float = 0.0) -> list[JsonObject]:
    return await store.changed("ptu", since=since)


@in_virtual_time
async def test_a_write_is_read_a_second_later_and_no_sooner() -> None:
    store = CapacityContainer()
    await store.write(record(value=1))
    await asyncio.sleep(0.98)
    assert await read(store) == []
    await asyncio.sleep(0.01)
    [found] = await read(store)
    assert found["value"] == 1


@in_virtual_time
async def test_until_then_the_version_before_is_read() -> None:
    store = CapacityContainer()
    await store.write(record(value=1))
    await asyncio.sleep(5)
    await store.write(record(value=2))
    [found] = await read(store)
    assert found["value"] == 1
    await asyncio.sleep(1)
    [found] = await read(store)
    assert found["value"] == 2


@in_virtual_time
async def test_no_python_object_crosses() -> None:
    store = CapacityContainer()
    written = record(windows=[[1.0, 2.0]])
    await store.write(written)
    written["windows"].append("changed after the write")
    await asyncio.sleep(2)
    [one], [other] = await read(store), await read(store)
    assert one["windows"] == [[1.0, 2.0]]
    assert one["windows"] is not other["windows"]


@in_virtual_time
async def test_what_was_written_since_is_told_by_the_stores_whole_seconds() -> None:
    store = CapacityContainer()
    await asyncio.sleep(0.5)
    await store.write(record("a"))
    await asyncio.sleep(1)
    await store.write(record("b"))
    await asyncio.sleep(2)
    a, b = await read(store)
    assert (a["_ts"], b["_ts"]) == (EPOCH, EPOCH + 1)
    assert [one["id"] for one in await read(store, since=EPOCH + 1)] == ["b"]
    assert [one["id"] for one in await read(store, since=EPOCH + 0.9)] == ["a", "b"]


@in_virtual_time
async def test_a_swap_is_decided_at_once_by_the_newest_version() -> None:
    store = CapacityContainer()
    etag = await store.swap(record(holder="a"), etag=None)
    assert await store.swap(record(holder="b"), etag=None) is None
    await asyncio.sleep(2)
    [seen] = await read(store)
    assert seen["_etag"] == etag
    assert await store.swap(record(holder="a again"), etag=seen["_etag"])
    # the etag is still the one that anybody reads, and no longer the newest one's
    [still] = await read(store)
    assert still["_etag"] == seen["_etag"]
    assert not await store.swap(record(holder="b"), etag=seen["_etag"])


@in_virtual_time
async def test_of_two_swaps_at_one_moment_one_wins() -> None:
    store = CapacityContainer()
    swaps = (store.swap(record(holder=name), etag=None) for name in "abc")
    won = [etag for etag in await asyncio.gather(*swaps) if etag is not None]
    assert len(won) == 1


@in_virtual_time
async def test_a_record_ends_with_its_ttl() -> None:
    store = CapacityContainer()
    await store.write(record(ttl=15))
    await asyncio.sleep(10)
    assert len(await read(store)) == 1
    await asyncio.sleep(10)
    assert await read(store) == []
    assert await store.swap(record(), etag=None)


@in_virtual_time
async def test_what_nobody_can_read_any_more_is_cleared_and_nothing_else() -> None:
    store = CapacityContainer()
    await store.write(record("kept", value=0))
    for number in range(2_000):
        store.put(record("changing", value=number))
    await asyncio.sleep(2)
    assert {one["id"]: one["value"] for one in await read(store)} == {"kept": 0, "changing": 1_999}


@in_virtual_time
async def test_a_slot_is_created_once_and_read_a_second_later() -> None:
    ledger = LedgerContainer()
    slot: JsonObject = {"id": "r:1", "request_id": "r", "slice": "s"}
    assert await ledger.create(slot) is Created.CREATED
    assert await ledger.create(slot) is Created.REFUSED
    assert await ledger.read("r") == []
    await asyncio.sleep(1)
    assert await ledger.read("r") == [slot]
