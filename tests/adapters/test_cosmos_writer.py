"""Group commit of creates, with the real SDK over a real socket; the server's counters are the
truth. Which create met which fate is what the ledger stands on, so each fate has its test."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy

from local.cosmos import CosmosServer
from ptu_optimizer.adapters.cosmos_writer import (
    MAX_BATCH_OPERATIONS,
    WRITES_UNDER_WAY,
    SliceWriter,
    StoreRefusesUs,
)
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import Created
from tests.support.cosmos_account import app_account, container, kind, of_item
from tests.support.polling import until

CREATED, REFUSED, UNKNOWN = Created.CREATED, Created.REFUSED, Created.UNKNOWN
MORE_THAN_THE_SDK_TRIES = 50


@pytest.fixture
async def server() -> AsyncIterator[CosmosServer]:
    async with app_account() as started:
        yield started


@pytest.fixture
async def requests(server: CosmosServer) -> AsyncIterator[ContainerProxy]:
    async with container(server, "requests") as proxy:
        await proxy.read()  # the SDK asks for the account and the container once
        yield proxy


@pytest.fixture
def writer(requests: ContainerProxy) -> SliceWriter:
    return SliceWriter(requests, partition_field="slice")


def record(number: int, *, place: str = "group:0", size: int = 0, **fields: Any) -> JsonObject:
    return {"id": f"r{number}", "slice": place, "n": 1, "pad": "x" * size, **fields}


async def create_all(writer: SliceWriter, records: Sequence[JsonObject]) -> list[Created]:
    return await asyncio.gather(*(writer.create(each) for each in records))


async def stored(requests: ContainerProxy, place: str = "group:0") -> dict[str, JsonObject]:
    query = requests.query_items("SELECT * FROM c", partition_key=place)
    return {item["id"]: dict(item) async for item in query}


def counts(server: CosmosServer) -> Counter[str]:
    return Counter(dict(server.counters.of("ptu/requests")))


async def struck(server: CosmosServer) -> None:
    """Wait until every fault that was asked for has met its operation."""
    await until(lambda: not server.faults.waiting, "the fault to strike", every=0.005)


# --- one create -----------------------------------------------------------------------------------


async def test_a_create_lands_and_is_told(
    writer: SliceWriter, requests: ContainerProxy, server: CosmosServer
) -> None:
    assert await writer.create(record(1, claim_token="mine")) is CREATED
    assert (await stored(requests))["r1"]["claim_token"] == "mine"
    assert (counts(server)["creates"], counts(server)["batches"]) == (1, 0)


async def test_a_second_create_of_an_id_is_refused_and_changes_nothing(
    writer: SliceWriter, requests: ContainerProxy
) -> None:
    await writer.create(record(1, claim_token="first"))
    assert await writer.create(record(1, claim_token="second")) is REFUSED
    assert (await stored(requests))["r1"]["claim_token"] == "first"


async def test_the_same_id_in_another_slice_is_another_record(writer: SliceWriter) -> None:
    records = [record(1, place="group:0"), record(1, place="group:1")]
    assert await create_all(writer, records) == [CREATED, CREATED]


async def test_a_create_lost_before_commit_is_of_unknown_fate_and_leaves_nothing(
    writer: SliceWriter, requests: ContainerProxy, server: CosmosServer
) -> None:
    server.faults.fail_writes(MORE_THAN_THE_SDK_TRIES, status=503)
    assert await writer.create(record(1)) is UNKNOWN
    server.faults.clear()
    assert await stored(requests) == {}
    assert await writer.create(record(1)) is CREATED


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        pytest.param(408, UNKNOWN, id="408"),
        pytest.param(500, UNKNOWN, id="500"),
        # the SDK sends these again, and then conflicts with itself
        pytest.param(503, REFUSED, id="503"),
        pytest.param(None, REFUSED, id="connection lost"),
    ],
)
async def test_after_an_answer_lost_behind_the_commit_the_record_shows_our_token(
    writer: SliceWriter,
    requests: ContainerProxy,
    server: CosmosServer,
    status: int | None,
    fate: Created,
) -> None:
    server.faults.lose_answers(status=status)
    assert await writer.create(record(1, claim_token="mine")) is fate
    assert (await stored(requests))["r1"]["claim_token"] == "mine"
    assert await writer.create(record(1, claim_token="mine")) is REFUSED


async def test_a_create_that_is_throttled_briefly_lands(
    writer: SliceWriter, server: CosmosServer
) -> None:
    server.faults.throttle(2, retry_after_ms=5)
    assert await writer.create(record(1)) is CREATED


async def test_a_create_that_stays_throttled_is_of_unknown_fate(
    writer: SliceWriter, requests: ContainerProxy, server: CosmosServer
) -> None:
    server.faults.throttle(MORE_THAN_THE_SDK_TRIES, retry_after_ms=5, where=kind("create"))
    assert await writer.create(record(1)) is UNKNOWN
    assert await stored(requests) == {}


async def test_a_store_that_is_away_is_of_unknown_fate(server: CosmosServer) -> None:
    async with container(server, "requests") as requests:
        await server.close()
        assert await SliceWriter(requests, partition_field="slice").create(record(1)) is UNKNOWN


# --- what no retry mends --------------------------------------------------------------------------


async def test_a_missing_container_refuses_us(server: CosmosServer) -> None:
    async with container(server, "misnamed") as missing:
        writer = SliceWriter(missing, partition_field="slice")
        with pytest.raises(StoreRefusesUs, match="404"):
            await writer.create(record(1))
        fates = await asyncio.gather(
            *(writer.create(record(n)) for n in range(5)), return_exceptions=True
        )
    assert [type(fate) for fate in fates] == [StoreRefusesUs] * 5


async def test_a_wrong_key_refuses_us(server: CosmosServer) -> None:
    stranger = f"AccountEndpoint={server.url}/;AccountKey=d3Jvbmc=;"
    async with container(server, "requests", connection_string=stranger) as requests:
        with pytest.raises(StoreRefusesUs, match="401"):
            await SliceWriter(requests, partition_field="slice").create(record(1))


async def test_a_record_too_large_for_an_item_is_refused_alone(writer: SliceWriter) -> None:
    records = [record(1), record(2, size=2_200_000), record(3)]
    fates = await asyncio.gather(*map(writer.create, records), return_exceptions=True)
    assert fates[0] is CREATED
    assert isinstance(fates[1], StoreRefusesUs)
    assert "413" in str(fates[1])
    assert fates[2] is CREATED


class BrokenContainer:
    """An SDK that fails as no SDK should."""

    async def create_item(self, *_: object, **__: object) -> None:
        raise RuntimeError("the client has been closed")

    async def execute_item_batch(self, *_: object, **__: object) -> None:
        raise RuntimeError("the client has been closed")


async def test_nobody_waits_for_ever_whatever_the_sdk_raises() -> None:
    writer = SliceWriter(BrokenContainer(), partition_field="slice")  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        fates = await asyncio.gather(
            *(writer.create(record(n)) for n in range(3)),
            writer.create(record(9, place="group:1")),
            return_exceptions=True,
        )
    assert [type(fate) for fate in fates] == [RuntimeError] * 4


# --- group commit ---------------------------------------------------------------------------------


async def test_creates_of_one_slice_gather_into_one_transaction(
    writer: SliceWriter, requests: ContainerProxy, server: CosmosServer
) -> None:
    assert set(await create_all(writer, [record(n) for n in range(50)])) == {CREATED}
    assert len(await stored(requests)) == 50
    assert (counts(server)["batches"], counts(server)["batch_operations"]) == (1, 50)


async def test_creates_gather_while_others_are_under_way(
    writer: SliceWriter, server: CosmosServer
) -> None:
    first = []
    for number in range(WRITES_UNDER_WAY):
        server.faults.delay(0.3, where=kind("create"))
        first.append(asyncio.create_task(writer.create(record(number))))
        await struck(server)
    late = [asyncio.create_task(writer.create(record(n))) for n in range(2, 42)]
    assert await asyncio.gather(*first, *late) == [CREATED] * 42
    assert counts(server)["creates"] == 42
    assert counts(server)["batches"] <= WRITES_UNDER_WAY
    assert counts(server)["batch_operations"] == 40


async def test_one_slow_write_does_not_hold_up_its_slice(
    writer: SliceWriter, server: CosmosServer
) -> None:
    server.faults.delay(20.0, where=of_item("r0"))
    slow = asyncio.create_task(writer.create(record(0)))
    await struck(server)
    async with asyncio.timeout(10):
        for number in range(1, 6):
            assert await writer.create(record(number)) is CREATED
    assert not slow.done()
    slow.cancel()


async def test_a_transaction_takes_at_most_what_the_service_allows(
    writer: SliceWriter, server: CosmosServer
) -> None:
    count = 2 * MAX_BATCH_OPERATIONS + 50
    assert set(await create_all(writer, [record(n) for n in range(count)])) == {CREATED}
    assert (counts(server)["batches"], counts(server)["batch_operations"]) == (3, count)


async def test_large_records_share_a_transaction_only_while_it_stays_below_2_mib(
    writer: SliceWriter, server: CosmosServer
) -> None:
    records = [record(n, size=400_000) for n in range(10)]
    assert await create_all(writer, records) == [CREATED] * 10
    # three by three, and the tenth alone
    assert (counts(server)["batches"], counts(server)["creates"]) == (3, 10)


async def test_slices_do_not_wait_for_each_other(writer: SliceWriter, server: CosmosServer) -> None:
    server.faults.delay(20.0, where=lambda operation: operation.partition == '["group:0"]')
    blocked = asyncio.create_task(writer.create(record(0, place="group:0")))
    records = [record(n, place=f"group:{s}") for s in range(1, 31) for n in range(10)]
    async with asyncio.timeout(10):
        assert set(await create_all(writer, records)) == {CREATED}
    assert counts(server)["batches"] == 30
    assert not blocked.done()
    blocked.cancel()


async def test_slices_without_work_are_forgotten(writer: SliceWriter) -> None:
    await create_all(writer, [record(n, place=f"group:{n}") for n in range(100)])
    await asyncio.sleep(0)
    assert not writer._partitions, "a process serves slices for weeks"


# --- conflicts inside a transaction ---------------------------------------------------------------


async def test_after_a_conflict_each_create_learns_its_own_fate(
    writer: SliceWriter, requests: ContainerProxy, server: CosmosServer
) -> None:
    for taken in (3, 7):
        await writer.create(record(taken, claim_token="theirs"))
    before = counts(server)
    fates = await create_all(writer, [record(n, claim_token="mine") for n in range(10)])
    assert [n for n, fate in enumerate(fates) if fate is REFUSED] == [3, 7]
    assert set(fates) == {CREATED, REFUSED}
    tokens = {item_id: item["claim_token"] for item_id, item in (await stored(requests)).items()}
    assert [n for n in range(10) if tokens[f"r{n}"] == "theirs"] == [3, 7]
    assert counts(server)["batches"] - before["batches"] == 1


async def test_of_two_creates_of_one_id_exactly_one_is_created(
    writer: SliceWriter, requests: ContainerProxy
) -> None:
    records = [record(n % 5, claim_token=f"t{n}") for n in range(10)]
    fates = await create_all(writer, records)
    winners = {f"r{n % 5}": f"t{n}" for n, fate in enumerate(fates) if fate is CREATED}
    assert Counter(fates) == {CREATED: 5, REFUSED: 5}
    found = await stored(requests)
    assert {item_id: item["claim_token"] for item_id, item in found.items()} == winners


async def test_of_two_workers_that_claim_the_same_slots_each_slot_has_one_winner(
    server: CosmosServer, writer: SliceWriter
) -> None:
    async with container(server, "requests") as theirs:
        other = SliceWriter(theirs, partition_field="slice")
        ours, others = await asyncio.gather(
            create_all(writer, [record(n) for n in range(60)]),
            create_all(other, [record(n) for n in reversed(range(60))]),
        )
    for mine, yours in zip(ours, reversed(others), strict=True):
        assert {mine, yours} == {CREATED, REFUSED}


# --- transactions of unknown fate -----------------------------------------------------------------


async def test_a_transaction_lost_before_commit_is_of_unknown_fate_for_all_in_it(
    writer: SliceWriter, requests: ContainerProxy, server: CosmosServer
) -> None:
    server.faults.fail_writes(MORE_THAN_THE_SDK_TRIES, status=503, where=kind("batch"))
    assert set(await create_all(writer, [record(n) for n in range(5)])) == {UNKNOWN}
    assert await stored(requests) == {}


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        pytest.param(408, UNKNOWN, id="408"),
        pytest.param(503, REFUSED, id="503"),
        pytest.param(None, REFUSED, id="connection lost"),
    ],
)
async def test_after_an_ambiguous_transaction_every_create_can_read_its_own_token(
    writer: SliceWriter,
    requests: ContainerProxy,
    server: CosmosServer,
    status: int | None,
    fate: Created,
) -> None:
    server.faults.lose_answers(status=status, where=kind("batch"))
    fates = await create_all(writer, [record(n, claim_token=f"t{n}") for n in range(5)])
    assert fates == [fate] * 5
    found = await stored(requests)
    assert {item["claim_token"] for item in found.values()} == {f"t{n}" for n in range(5)}


async def test_a_transaction_that_is_throttled_briefly_lands(
    writer: SliceWriter, server: CosmosServer
) -> None:
    server.faults.throttle(2, retry_after_ms=5, where=kind("batch"))
    assert await create_all(writer, [record(n) for n in range(5)]) == [CREATED] * 5


# --- callers that go away -------------------------------------------------------------------------


async def test_a_caller_that_gives_up_takes_no_neighbour_along(
    writer: SliceWriter, requests: ContainerProxy, server: CosmosServer
) -> None:
    server.faults.delay(0.2, where=kind("batch"))
    tasks = [asyncio.create_task(writer.create(record(n))) for n in range(5)]
    await struck(server)
    tasks[2].cancel()
    fates = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(fates[2], asyncio.CancelledError)
    assert [fate for n, fate in enumerate(fates) if n != 2] == [CREATED] * 4
    assert len(await stored(requests)) == 5, "it was on its way"
