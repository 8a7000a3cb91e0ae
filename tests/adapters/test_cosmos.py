"""The Cosmos DB stores, with the real SDK over a real socket; the server's counters and its clock,
set by hand, are the truth."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.cosmos import CosmosServer
from ptu_optimizer.adapters.cosmos import CosmosCapacityStore, CosmosGroupStore, CosmosLedgerStore
from ptu_optimizer.adapters.cosmos_writer import StoreRefusesUs
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import Created
from ptu_optimizer.requests.groups import GROUP_FIELDS
from ptu_optimizer.requests.ledger.outcomes import LARGE_OUTCOME_BYTES
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from ptu_optimizer.requests.sweep.republish import SLICE_FIELDS
from tests.support.cosmos_account import app_account, container, kind

GROUP = "0" * 40
MORE_THAN_THE_SDK_TRIES = 50


class Clock:
    """The server's; TTL follows it."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[CosmosServer]:
    async with app_account(clock=clock) as started:
        yield started


@pytest.fixture
async def ledger(server: CosmosServer) -> AsyncIterator[CosmosLedgerStore]:
    async with container(server, "requests") as proxy:
        yield CosmosLedgerStore(proxy)


@pytest.fixture
async def groups(server: CosmosServer) -> AsyncIterator[CosmosGroupStore]:
    async with container(server, "groups") as proxy:
        yield CosmosGroupStore(proxy)


@pytest.fixture
async def capacity(server: CosmosServer) -> AsyncIterator[CosmosCapacityStore]:
    async with container(server, "capacity") as proxy:
        yield CosmosCapacityStore(proxy)


def slot(index: int, n: int = 1, *, slot_kind: SlotKind = SlotKind.ATTEMPT, **details: Any) -> Slot:
    return Slot(
        request_id=f"{GROUP}-{index}",
        n=n,
        kind=slot_kind,
        claim_token=f"token {index} {n}",
        at=1000.5,
        failures=2,
        lease_until=1363.25,
        details=details,
    )


def as_record(one: Slot, *, ttl: int = 3_600) -> JsonObject:
    return one.record(ends_at=ttl, now=0)


def counts(server: CosmosServer, name: str) -> Counter[str]:
    return Counter(dict(server.counters.of(f"ptu/{name}")))


async def create_all(store: CosmosLedgerStore, records: list[JsonObject]) -> None:
    fates = await asyncio.gather(*(store.create(record) for record in records))
    assert set(fates) == {Created.CREATED}


# --- the ledger -----------------------------------------------------------------------------------


async def test_a_slot_comes_back_as_it_was_written(ledger: CosmosLedgerStore) -> None:
    written = slot(
        3, response={"text": "Grüße, 世界 🌍 \u2028 \x00 \\", "big": 2**53, "small": 1e-9}
    )
    await ledger.create(as_record(written))
    (found,) = await ledger.read(written.request_id)
    assert Slot.from_record(found) == written


async def test_a_record_takes_no_more_room_for_being_in_another_script(
    ledger: CosmosLedgerStore,
) -> None:
    """The limits of inputs and outcomes count UTF-8; the SDK's escapes would be thrice as long."""
    written = slot(0, response={"text": "ж" * (LARGE_OUTCOME_BYTES // 2)})
    assert await ledger.create(as_record(written)) is Created.CREATED
    (found,) = await ledger.read(written.request_id)
    assert Slot.from_record(found) == written


async def test_records_in_another_script_share_a_transaction(ledger: CosmosLedgerStore) -> None:
    records = [as_record(slot(index, response={"text": "ж" * 100_000})) for index in range(12)]
    await create_all(ledger, records)


async def test_a_request_without_records_has_none(ledger: CosmosLedgerStore) -> None:
    assert await ledger.read(f"{GROUP}-0") == []


async def test_a_read_is_one_query_and_finds_slots_and_annotations(
    ledger: CosmosLedgerStore, server: CosmosServer
) -> None:
    await ledger.create(as_record(slot(1)))
    await ledger.create(as_record(slot(1, 2, slot_kind=SlotKind.RELEASED, why="429")))
    await ledger.create(as_record(slot(10)))  # an id that begins the same
    annotation = {
        "id": f"{GROUP}-1:deferral",
        "slice": f"{GROUP}:0",
        "request_id": f"{GROUP}-1",
        "type": "deferral",
    }
    await ledger.create(annotation)
    found = await ledger.read(f"{GROUP}-1")
    assert {record["id"] for record in found} == {
        f"{GROUP}-1:1",
        f"{GROUP}-1:2",
        f"{GROUP}-1:deferral",
    }
    assert (counts(server, "requests")["queries"], counts(server, "requests")["reads"]) == (1, 0)


async def test_requests_beyond_10000_of_a_group_live_in_its_next_slices(
    ledger: CosmosLedgerStore,
) -> None:
    for index in (9_999, 10_000, 25_000):
        await ledger.create(as_record(slot(index)))
        assert len(await ledger.read(f"{GROUP}-{index}")) == 1
    first = [
        record["request_id"] async for record in ledger.slice(f"{GROUP}:0", fields=SLICE_FIELDS)
    ]
    assert first == [f"{GROUP}-9999"]


async def test_one_request_is_read_and_a_full_slice_is_walked_in_pages(
    ledger: CosmosLedgerStore, server: CosmosServer
) -> None:
    await create_all(ledger, [as_record(slot(index)) for index in range(10_000)])
    outcome = slot(5_000, 2, slot_kind=SlotKind.SUCCEEDED, response={"large": "x" * 100_000})
    await ledger.create(as_record(outcome))
    before = counts(server, "requests")["queries"]
    found = await ledger.read(f"{GROUP}-5000")
    assert sorted(record["n"] for record in found) == [1, 2]
    assert counts(server, "requests")["queries"] - before == 1, "by its index, not by a scan"

    walked = Counter(
        [record["id"] async for record in ledger.slice(f"{GROUP}:0", fields=SLICE_FIELDS)]
    )
    assert len(walked) == walked.total() == 10_001
    assert counts(server, "requests")["queries"] - before >= 1 + 10


async def test_a_walk_of_a_slice_brings_what_the_sweep_decides_on_and_no_contents(
    ledger: CosmosLedgerStore,
) -> None:
    outcome = slot(1, 2, slot_kind=SlotKind.SUCCEEDED, response={"choices": []}, custom_id="mine")
    await ledger.create(as_record(outcome))
    mark = {"id": f"{GROUP}:0:sweep:0", "slice": f"{GROUP}:0", "type": "sweep", "at": 7.5}
    await ledger.create(mark)
    found = {
        record["id"]: record async for record in ledger.slice(f"{GROUP}:0", fields=SLICE_FIELDS)
    }
    seen = Slot.from_record(found[outcome.id])
    assert (seen.kind, seen.claim_token, seen.at) == (outcome.kind, outcome.claim_token, outcome.at)
    assert (seen.failures, seen.lease_until) == (outcome.failures, outcome.lease_until)
    assert "response" not in found[outcome.id]
    assert found[mark["id"]]["at"] == 7.5
    assert found[mark["id"]]["type"] == "sweep"


async def test_records_leave_when_their_time_is_over_outcomes_last(
    ledger: CosmosLedgerStore, clock: Clock
) -> None:
    await ledger.create(as_record(slot(1), ttl=60))
    await ledger.create(as_record(slot(1, 2, slot_kind=SlotKind.SUCCEEDED), ttl=60))
    clock.now += 59
    assert len(await ledger.read(f"{GROUP}-1")) == 2
    clock.now += 3
    (last,) = await ledger.read(f"{GROUP}-1")
    assert last["kind"] == "succeeded", "a fold never loses its end"
    clock.now += 3_600
    assert await ledger.read(f"{GROUP}-1") == []


async def test_a_ledger_that_fails_is_unavailable_and_says_with_what(
    ledger: CosmosLedgerStore, server: CosmosServer
) -> None:
    server.faults.throttle(MORE_THAN_THE_SDK_TRIES, retry_after_ms=1, where=kind("query"))
    with pytest.raises(DependencyUnavailable, match="status 429"):
        await ledger.read(f"{GROUP}-0")
    with pytest.raises(DependencyUnavailable, match="status 429"):
        _ = [record async for record in ledger.slice(f"{GROUP}:0", fields=SLICE_FIELDS)]


async def test_a_ledger_that_is_away_is_unavailable_within_seconds(
    ledger: CosmosLedgerStore, server: CosmosServer
) -> None:
    await server.close()
    async with asyncio.timeout(20):
        with pytest.raises(DependencyUnavailable):
            await ledger.read(f"{GROUP}-0")
        with pytest.raises(DependencyUnavailable):
            _ = [record async for record in ledger.slice(f"{GROUP}:0", fields=SLICE_FIELDS)]
        assert await ledger.create(as_record(slot(1))) is Created.UNKNOWN


# --- groups ---------------------------------------------------------------------------------------


def group_record(number: int, **fields: Any) -> JsonObject:
    return {
        "id": f"group {number}",
        "bucket": "2026-11-21T08",
        "type": "group",
        "created_at": 1000.25,
        "earliest_deadline": 2000.5,
        "in_blob": False,
        "items": [{"body": {"messages": [{"role": "user", "content": "x" * 1_000}]}}],
        "ttl": 3_600,
        **fields,
    }


async def test_a_group_is_created_once_and_read_with_its_items(groups: CosmosGroupStore) -> None:
    assert await groups.create(group_record(1)) is Created.CREATED
    assert await groups.create(group_record(1, items=[])) is Created.REFUSED
    found = await groups.read("2026-11-21T08", "group 1")
    assert found is not None
    assert found["items"] == group_record(1)["items"]


async def test_a_group_that_is_not_there_is_none(groups: CosmosGroupStore) -> None:
    await groups.create(group_record(1))
    assert await groups.read("2026-11-21T08", "group 2") is None
    assert await groups.read("2026-11-21T09", "group 1") is None


async def test_a_bucket_lists_all_its_records_without_items(
    groups: CosmosGroupStore, server: CosmosServer
) -> None:
    count = 1_200
    fates = await asyncio.gather(*(groups.create(group_record(n)) for n in range(count)))
    assert set(fates) == {Created.CREATED}
    await groups.create({"id": "group 1:closed", "bucket": "2026-11-21T08", "type": "closed"})
    await groups.create(group_record(1, bucket="2026-11-21T09"))
    found = await groups.bucket("2026-11-21T08", fields=GROUP_FIELDS)
    assert len(found) == count + 1
    assert not any("items" in record for record in found)
    first = next(record for record in found if record["id"] == "group 1")
    assert (first["created_at"], first["earliest_deadline"]) == (1000.25, 2000.5)
    assert await groups.bucket("2026-11-21T10", fields=GROUP_FIELDS) == []


async def test_a_group_leaves_at_its_end(groups: CosmosGroupStore, clock: Clock) -> None:
    await groups.create(group_record(1, ttl=10))
    clock.now += 12
    assert await groups.read("2026-11-21T08", "group 1") is None
    assert await groups.bucket("2026-11-21T08", fields=GROUP_FIELDS) == []


async def test_readiness_is_one_cheap_query(groups: CosmosGroupStore, server: CosmosServer) -> None:
    await groups.ping()
    assert counts(server, "groups")["queries"] == 1
    await server.close()
    with pytest.raises((DependencyUnavailable, TimeoutError)):
        await groups.ping()


async def test_a_store_without_its_container_is_not_ready(server: CosmosServer) -> None:
    async with container(server, "misnamed") as proxy:
        with pytest.raises(DependencyUnavailable, match="status 404"):
            await CosmosGroupStore(proxy).ping()


async def test_a_store_that_refuses_us_is_unavailable_to_who_does_not_look_closer(
    server: CosmosServer,
) -> None:
    async with container(server, "misnamed") as proxy:
        store = CosmosGroupStore(proxy)
        with pytest.raises(DependencyUnavailable) as refusal:
            await store.create(group_record(1))
        assert isinstance(refusal.value, StoreRefusesUs)
        with pytest.raises(DependencyUnavailable, match="status 404"):
            await store.bucket("2026-11-21T08", fields=GROUP_FIELDS)


# --- readings -------------------------------------------------------------------------------------


def reading(worker: str, **fields: Any) -> JsonObject:
    return {
        "id": f"reading:{worker}",
        "deployment": "gpt-4.1",
        "type": "reading",
        "value": 0.5,
        "ttl": 60,
        **fields,
    }


async def test_the_newest_reading_of_each_worker_is_kept(capacity: CosmosCapacityStore) -> None:
    await capacity.write(reading("a", value=0.1))
    await capacity.write(reading("b", value=0.2))
    await capacity.write(reading("a", value=0.3))
    found = {
        record["id"]: record["value"] for record in await capacity.changed("gpt-4.1", since=0.0)
    }
    assert found == {"reading:a": 0.3, "reading:b": 0.2}
    assert await capacity.changed("another", since=0.0) == []


async def test_readings_of_a_worker_that_is_gone_leave(
    capacity: CosmosCapacityStore, clock: Clock
) -> None:
    await capacity.write(reading("a"))
    clock.now += 62
    assert await capacity.changed("gpt-4.1", since=0.0) == []


async def test_only_what_changed_since_is_read(capacity: CosmosCapacityStore, clock: Clock) -> None:
    await capacity.write(reading("a"))
    clock.now += 10
    await capacity.write(reading("b"))
    (newest,) = await capacity.changed("gpt-4.1", since=clock.now - 5)
    assert newest["id"] == "reading:b"
    (again,) = await capacity.changed("gpt-4.1", since=newest["_ts"])
    assert again["id"] == "reading:b", "what is as old as the newest may have come after it"


async def test_a_swap_takes_place_once(capacity: CosmosCapacityStore) -> None:
    lease = {"id": "lease:requests", "deployment": "gpt-4.1", "type": "lease", "ttl": 60}
    assert await capacity.swap({**lease, "holder": "a"}, etag=None)
    assert not await capacity.swap({**lease, "holder": "b"}, etag=None)
    (seen,) = await capacity.changed("gpt-4.1", since=0.0)
    assert await capacity.swap({**lease, "holder": "c"}, etag=seen["_etag"])
    assert not await capacity.swap({**lease, "holder": "d"}, etag=seen["_etag"])
    (now_held,) = await capacity.changed("gpt-4.1", since=0.0)
    assert now_held["holder"] == "c"


async def test_a_swap_of_what_is_gone_fails(capacity: CosmosCapacityStore, clock: Clock) -> None:
    lease = {"id": "lease:requests", "deployment": "gpt-4.1", "type": "lease", "ttl": 60}
    await capacity.swap(lease, etag=None)
    (seen,) = await capacity.changed("gpt-4.1", since=0.0)
    clock.now += 62
    assert not await capacity.swap(lease, etag=seen["_etag"])


async def test_capacity_that_fails_is_unavailable(
    capacity: CosmosCapacityStore, server: CosmosServer
) -> None:
    server.faults.throttle(MORE_THAN_THE_SDK_TRIES, retry_after_ms=1)
    with pytest.raises(DependencyUnavailable, match="status 429"):
        await capacity.write(reading("a"))
    with pytest.raises(DependencyUnavailable, match="status 429"):
        await capacity.changed("gpt-4.1", since=0.0)
