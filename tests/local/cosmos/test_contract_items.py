"""The contract of point operations: what azure-cosmos, unmodified, may expect of Cosmos DB.

Nothing here looks inside the server, so the same tests can be run once against Azure or against
Microsoft's emulator: see the `account` fixture.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import CosmosClient as SyncCosmosClient
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)
from azure.cosmos.partition_key import NonePartitionKeyValue

from tests.local.cosmos.support import DEADLINE_SECONDS, Account, partition, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

STALE = '"00000000-0000-0000-0000-000000000000"'
UNCHANGED = MatchConditions.IfNotModified


async def test_an_item_is_read_back_as_it_was_created(account: Account) -> None:
    pk = partition()
    created = await account.items.create_item({"id": "1", "pk": pk, "n": 1})
    assert created["_etag"].startswith('"')
    assert {"_rid", "_self", "_ts", "_attachments"} <= created.keys()
    assert abs(created["_ts"] - time.time()) < 300
    assert await account.items.read_item("1", pk) == created


async def test_creating_an_id_twice_is_a_conflict_and_changes_nothing(account: Account) -> None:
    pk = partition()
    await account.items.create_item({"id": "1", "pk": pk, "by": "first"})
    with pytest.raises(CosmosResourceExistsError):
        await account.items.create_item({"id": "1", "pk": pk, "by": "second"})
    assert (await account.items.read_item("1", pk))["by"] == "first"


async def test_of_many_that_create_one_id_together_one_succeeds(account: Account) -> None:
    pk = partition()
    results = await asyncio.gather(
        *(account.items.create_item({"id": "1", "pk": pk, "by": by}) for by in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, CosmosResourceExistsError) for result in results) == 9


async def test_an_id_belongs_to_its_partition(account: Account) -> None:
    one, other = partition(), partition()
    await account.items.create_item({"id": "1", "pk": one, "n": 1})
    await account.items.create_item({"id": "1", "pk": other, "n": 2})
    assert (await account.items.read_item("1", one))["n"] == 1
    assert (await account.items.read_item("1", other))["n"] == 2
    with pytest.raises(CosmosResourceNotFoundError):
        await account.items.read_item("1", partition())


async def test_upsert_creates_then_replaces_the_whole_item_under_a_new_etag(
    account: Account,
) -> None:
    pk = partition()
    first = await account.items.upsert_item({"id": "1", "pk": pk, "a": 1})
    second = await account.items.upsert_item({"id": "1", "pk": pk, "b": 2})
    assert "a" not in second
    assert second["_etag"] != first["_etag"]
    assert second["_rid"] == first["_rid"]


async def test_replace_needs_an_item(account: Account) -> None:
    with pytest.raises(CosmosResourceNotFoundError):
        await account.items.replace_item("1", {"id": "1", "pk": partition()})


async def test_a_condition_holds_until_someone_else_has_written(account: Account) -> None:
    pk = partition()
    first = await account.items.create_item({"id": "1", "pk": pk, "n": 1})
    second = await account.items.replace_item(
        "1", {"id": "1", "pk": pk, "n": 2}, etag=first["_etag"], match_condition=UNCHANGED
    )
    stale = {"etag": first["_etag"], "match_condition": UNCHANGED}
    with pytest.raises(CosmosAccessConditionFailedError):
        await account.items.replace_item("1", {"id": "1", "pk": pk, "n": 3}, **stale)
    with pytest.raises(CosmosAccessConditionFailedError):
        await account.items.upsert_item({"id": "1", "pk": pk, "n": 3}, **stale)
    with pytest.raises(CosmosAccessConditionFailedError):
        await account.items.delete_item("1", pk, **stale)
    assert await account.items.read_item("1", pk) == second
    await account.items.delete_item("1", pk, etag=second["_etag"], match_condition=UNCHANGED)


async def test_an_upsert_with_a_condition_creates_what_does_not_exist(account: Account) -> None:
    created = await account.items.upsert_item(
        {"id": "1", "pk": partition()}, etag=STALE, match_condition=UNCHANGED
    )
    assert created["id"] == "1"


async def test_a_read_of_what_has_not_changed_brings_no_body(account: Account) -> None:
    pk = partition()
    created = await account.items.create_item({"id": "1", "pk": pk, "n": 1})
    modified = MatchConditions.IfModified
    same = await account.items.read_item("1", pk, etag=created["_etag"], match_condition=modified)
    assert not same  # the SDK's way to say 304
    other = await account.items.read_item("1", pk, etag=STALE, match_condition=modified)
    assert other["n"] == 1


async def test_what_was_deleted_is_gone(account: Account) -> None:
    pk = partition()
    await account.items.create_item({"id": "1", "pk": pk})
    await account.items.delete_item("1", pk)
    with pytest.raises(CosmosResourceNotFoundError):
        await account.items.read_item("1", pk)
    with pytest.raises(CosmosResourceNotFoundError):
        await account.items.delete_item("1", pk)


async def test_an_item_can_stand_for_its_own_link(account: Account) -> None:
    pk = partition()
    created = await account.items.create_item({"id": "1", "pk": pk})
    assert await account.items.read_item(created, pk) == created
    await account.items.delete_item(created, pk)
    with pytest.raises(CosmosResourceNotFoundError):
        await account.items.read_item("1", pk)


async def test_writes_can_do_without_a_response_body(account: Account) -> None:
    pk = partition()
    assert not await account.items.create_item({"id": "1", "pk": pk}, no_response=True)
    assert not await account.items.upsert_item({"id": "1", "pk": pk, "n": 2}, no_response=True)
    assert (await account.items.read_item("1", pk))["n"] == 2


async def test_charges_are_told(account: Account) -> None:
    pk = partition()
    created = await account.items.create_item({"id": "1", "pk": pk})
    read = await account.items.read_item("1", pk)
    assert 4 < float(created.get_response_headers()["x-ms-request-charge"]) < 15
    assert float(read.get_response_headers()["x-ms-request-charge"]) == 1


VALUES: list[Any] = [
    0,
    -1,
    1.5,
    -0.25,
    1e300,
    5e-324,
    0.1 + 0.2,
    2**53 - 1,
    -(2**53) + 1,
    True,
    None,
    "",
    "日本語 ünïcödé \U0001f600 \u2028 \x00 \t \\ \" '",
    [],
    {},
    [1, [2, {"x": [None]}]],
    {"": 1, "a b": 2, "ключ": 3},
]


@pytest.mark.parametrize("value", VALUES, ids=[ascii(value)[:30] for value in VALUES])
async def test_values_come_back_as_they_were(account: Account, value: Any) -> None:
    pk = partition()
    await account.items.create_item({"id": "1", "pk": pk, "value": value})
    found = (await account.items.read_item("1", pk))["value"]
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    "item_id",
    ["a:b", "a b", "a+b", "a%b", "a&b=c", 'q"u', "x'y", "日本", "a;b", "<x>", "a,b", "a|b"],
)
async def test_ids_may_hold_almost_any_character(account: Account, item_id: str) -> None:
    pk = partition()
    await account.items.create_item({"id": item_id, "pk": pk})
    assert (await account.items.read_item(item_id, pk))["id"] == item_id
    await account.items.delete_item(item_id, pk)


@pytest.mark.parametrize(
    "key", ["", "a b", "日本", '"', "\\", 0, 1.5, True, False, None], ids=ascii
)
async def test_partition_keys_may_be_any_plain_value(account: Account, key: Any) -> None:
    item_id = partition()
    await account.items.create_item({"id": item_id, "pk": key})
    # the SDK takes None for "no value", so null has a name of its own
    pk = key if key is not None else [None]
    assert (await account.items.read_item(item_id, pk))["pk"] == key
    await account.items.delete_item(item_id, pk)


async def test_an_item_without_the_property_has_the_key_none(account: Account) -> None:
    item_id = partition()
    await account.items.create_item({"id": item_id})
    found = await account.items.read_item(item_id, NonePartitionKeyValue)
    assert found["id"] == item_id
    await account.items.delete_item(item_id, NonePartitionKeyValue)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({"id": ""}, id="id empty"),
        pytest.param({"id": "x" * 1024}, id="id over 1,023 bytes"),
        pytest.param({"id": "1", "ttl": 0}, id="ttl zero"),
        pytest.param({"id": "1", "ttl": -2}, id="ttl below minus one"),
        pytest.param({"id": "1", "ttl": 1.5}, id="ttl not whole"),
        pytest.param({"id": "1", "ttl": "60"}, id="ttl text"),
        pytest.param({"id": "1", "ttl": 2**31}, id="ttl over its maximum"),
        pytest.param({"id": "1", "n": float("nan")}, id="not a number"),
    ],
)
async def test_what_is_no_item_is_refused(account: Account, item: dict[str, Any]) -> None:
    with refused(400):
        await account.items.upsert_item({**item, "pk": partition()})


async def test_an_item_may_not_be_larger_than_two_mebibytes(account: Account) -> None:
    pk = partition()
    with refused(413):
        await account.items.create_item({"id": "1", "pk": pk, "x": "x" * (2 * 1024 * 1024)})
    await account.items.create_item({"id": "1", "pk": pk, "x": "x" * (2 * 1024 * 1024 - 2_000)})


async def test_an_item_cannot_be_replaced_under_another_id(account: Account) -> None:
    pk = partition()
    await account.items.create_item({"id": "1", "pk": pk})
    with refused(400):
        await account.items.replace_item("1", {"id": "2", "pk": pk})


async def test_an_item_ends_its_life_when_its_ttl_says_so(account: Account) -> None:
    pk = partition()
    await account.items.create_item({"id": "1", "pk": pk, "ttl": 1})
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            await account.items.read_item("1", pk)
        except CosmosResourceNotFoundError:
            break
        await asyncio.sleep(0.05)
    created = await account.items.create_item({"id": "1", "pk": pk})
    assert "ttl" not in created


async def test_a_client_with_session_consistency_reads_its_own_writes(account: Account) -> None:
    pk = partition()
    async with CosmosClient.from_connection_string(
        account.connection_string, consistency_level="Session"
    ) as client:
        items = client.get_database_client(account.database.id).get_container_client("items")
        await items.create_item({"id": "1", "pk": pk, "n": 1})
        await items.upsert_item({"id": "1", "pk": pk, "n": 2})
        assert (await items.read_item("1", pk))["n"] == 2


async def test_the_synchronous_client_is_served_too(account: Account) -> None:
    def work() -> list[dict[str, Any]]:
        pk = partition()
        with SyncCosmosClient.from_connection_string(account.connection_string) as client:
            database = client.get_database_client(account.database.id)
            items = database.get_container_client("items")
            items.create_item({"id": "1", "pk": pk, "n": 1})
            items.upsert_item({"id": "1", "pk": pk, "n": 2})
            items.execute_item_batch([("create", ({"id": "2", "pk": pk},))], partition_key=pk)
            return list(items.query_items("SELECT c.id, c.n FROM c", partition_key=pk))

    assert await asyncio.to_thread(work) == [{"id": "1", "n": 2}, {"id": "2"}]
