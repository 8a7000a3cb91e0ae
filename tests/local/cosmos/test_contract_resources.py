"""The contract of accounts, databases and containers; like the others, for any account."""

from __future__ import annotations

import uuid

import aiohttp
import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

from tests.local.cosmos.support import Account, partition, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG_KEY = "d3Jvbmc="


async def test_databases_are_created_once_listed_and_deleted(account: Account) -> None:
    name = f"ptu-contract-{uuid.uuid4().hex[:12]}"
    await account.client.create_database(name)
    try:
        with refused(409):
            await account.client.create_database(name)
        again = await account.client.create_database_if_not_exists(name)
        assert (await again.read())["id"] == name
        assert name in [each["id"] async for each in account.client.list_databases()]
    finally:
        await account.client.delete_database(name)
    with refused(404):
        await account.client.get_database_client(name).read()


async def test_containers_are_created_once_listed_and_deleted(account: Account) -> None:
    key = PartitionKey("/deep/key")
    container = await account.database.create_container("more", key, default_ttl=60)
    with refused(409):
        await account.database.create_container("more", key)
    await account.database.create_container_if_not_exists("more", key)
    properties = await container.read()
    assert properties["partitionKey"]["paths"] == ["/deep/key"]
    assert properties["defaultTtl"] == 60
    assert properties["indexingPolicy"]["indexingMode"] == "consistent"
    await container.create_item({"id": "1", "deep": {"key": "k"}})
    assert (await container.read_item("1", "k"))["id"] == "1"
    assert {"items", "more"} == {each["id"] async for each in account.database.list_containers()}
    await account.database.delete_container("more")
    with refused(404):
        await container.read()


async def test_a_container_made_again_is_found_by_a_client_that_knew_the_old_one(
    account: Account,
) -> None:
    container = await account.database.create_container("again", PartitionKey("/pk"))
    await container.create_item({"id": "1", "pk": "k"})
    async with CosmosClient.from_connection_string(account.connection_string) as other:
        database = other.get_database_client(account.database.id)
        await database.delete_container("again")
        await database.create_container("again", PartitionKey("/pk"))
    await container.create_item({"id": "1", "pk": "k"})
    assert (await container.read_item("1", "k"))["id"] == "1"
    await account.database.delete_container("again")


async def test_what_does_not_exist_is_not_found(account: Account) -> None:
    with refused(404):
        await account.database.get_container_client("nope").read()
    with refused(404):
        await account.database.get_container_client("nope").create_item({"id": "1", "pk": "k"})
    with refused(404):
        database = account.client.get_database_client("nope")
        await database.create_container("x", PartitionKey("/pk"))


@pytest.mark.parametrize(
    "name", [pytest.param("x" * 256, id="too long"), pytest.param(" x", id="space before")]
)
async def test_bad_names_are_refused(account: Account, name: str) -> None:
    with refused(400):
        await account.database.create_container(name, PartitionKey("/pk"))


async def test_another_key_is_unauthorized(account: Account) -> None:
    with refused(401):
        async with CosmosClient(account.endpoint, WRONG_KEY) as client:
            database = client.get_database_client(account.database.id)
            await database.get_container_client("items").read_item("1", partition())


async def test_no_key_is_unauthorized(account: Account) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(account.endpoint + "dbs", headers={"x-ms-version": "2020-07-15"}) as answer,
    ):
        assert answer.status == 401
