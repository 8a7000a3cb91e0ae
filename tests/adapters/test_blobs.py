"""The blob adapter, with the real SDK over real sockets against Azurite."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ptu_optimizer.adapters.blobs import AzureBlobStore, blob_client
from ptu_optimizer.adapters.identity import Identity
from ptu_optimizer.errors import DependencyUnavailable
from tests.support.azurite import connection_string, free_port


@asynccontextmanager
async def store_at(connection: str) -> AsyncIterator[AzureBlobStore]:
    """A store with a container of its own, which nobody has made yet."""
    client = blob_client(
        connection_string=connection, endpoint=None, identity=Identity(client_id=None)
    )
    async with client:
        yield AzureBlobStore(client, container=f"test-{uuid.uuid4()}")


@pytest.fixture
async def store(storage: str) -> AsyncIterator[AzureBlobStore]:
    async with store_at(storage) as made:
        yield made


async def test_what_is_written_is_read_back(store: AzureBlobStore) -> None:
    content = "Grüße, 世界 🌍\n".encode() * 100_000
    await store.write("inputs/some.jsonl", content)
    assert await store.read("inputs/some.jsonl") == content


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        pytest.param(0, 5, b"first", id="from the beginning"),
        pytest.param(6, 6, b"second", id="in the middle"),
        pytest.param(13, 5, b"third", id="to the end"),
        pytest.param(13, 500, b"third", id="beyond the end"),
        pytest.param(18, 1, b"", id="from the end on"),
        pytest.param(500, 5, b"", id="from far beyond the end"),
        pytest.param(6, None, b"second\nthird", id="without a length"),
    ],
)
async def test_a_range_is_read_alone(
    store: AzureBlobStore, offset: int, length: int | None, expected: bytes
) -> None:
    await store.write("some", b"first\nsecond\nthird")
    assert await store.read("some", offset=offset, length=length) == expected


@pytest.mark.parametrize("offset", [0, 5])
async def test_an_empty_blob_is_empty_and_not_away(store: AzureBlobStore, offset: int) -> None:
    await store.write("empty", b"")
    assert await store.read("empty", offset=offset, length=5) == b""


async def test_what_is_not_there_is_none(store: AzureBlobStore) -> None:
    assert await store.read("none") is None, "neither blob nor container"
    await store.write("some", b"x")
    assert await store.read("none") is None
    assert await store.read("none", offset=3, length=4) is None


async def test_a_repeated_write_replaces(store: AzureBlobStore) -> None:
    await store.write("some", b"a longer first version")
    await store.write("some", b"second")
    assert await store.read("some") == b"second"


async def test_the_first_writers_make_the_container_together(store: AzureBlobStore) -> None:
    names = [f"blob-{n}" for n in range(8)]
    await asyncio.gather(*(store.write(name, name.encode()) for name in names))
    assert [await store.read(name) for name in names] == [name.encode() for name in names]


async def test_readiness_needs_no_blob(store: AzureBlobStore) -> None:
    await store.ping()


async def test_storage_that_is_away_is_unavailable_within_seconds() -> None:
    started = time.monotonic()
    async with store_at(connection_string(free_port())) as away:
        results = await asyncio.gather(
            away.write("some", b"x"), away.read("some"), away.ping(), return_exceptions=True
        )
    assert [type(result) for result in results] == [DependencyUnavailable] * 3
    assert time.monotonic() - started < 15, "budgets belong to the callers"


async def test_a_wrong_key_is_unavailable(storage: str) -> None:
    key = next(part for part in storage.split(";") if part.startswith("AccountKey="))
    async with store_at(storage.replace(key, "AccountKey=d3Jvbmc=")) as stranger:
        with pytest.raises(DependencyUnavailable):
            await stranger.write("some", b"x")
