"""Cosmos DB for NoSQL: point operations and one-partition queries, nothing else.

Cross-partition queries are neither cheap in Azure nor needed. The SDK's exceptions end here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import Created
from ptu_optimizer.requests.ids import slice_of_request

from .cosmos_writer import SliceWriter
from .identity import Identity

SERVICE = "Cosmos DB"
REQUEST_SECONDS = 10
"""Longest wait for one answer; the callers' budgets retry."""


def _select(names: Sequence[str]) -> str:
    columns = ", ".join(f"c.{name}" for name in names)
    return f"SELECT {columns} FROM c"  # noqa: S608 - the names are ours


def cosmos_client(
    *, connection_string: str | None, endpoint: str | None, identity: Identity
) -> CosmosClient:
    """One client per process. Retries are few: budgets belong to the callers."""
    options: dict[str, Any] = {
        "connection_timeout": 5,
        "read_timeout": REQUEST_SECONDS,
        "retry_total": 2,
        "retry_throttle_total": 3,
        "retry_throttle_backoff_max": 2,
        # as UTF-8: escaped, a text that is not English would be up to three times its size, and a
        # record that our limits let pass would be refused with 413
        "enable_compact_utf8_item_writes": True,
    }
    if connection_string is not None:
        return CosmosClient.from_connection_string(connection_string, **options)
    return CosmosClient(endpoint or "", identity.credential, **options)


async def _query(
    container: ContainerProxy,
    query: str,
    partition: str,
    parameters: list[dict[str, Any]] | None = None,
) -> list[JsonObject]:
    try:
        return [
            dict(item)
            async for item in container.query_items(
                query, parameters=parameters, partition_key=partition
            )
        ]
    except (AzureError, TimeoutError, OSError) as error:
        raise DependencyUnavailable(SERVICE, _reason(error)) from error


class CosmosLedgerStore:
    """The container `requests`, partition key `/slice`."""

    def __init__(self, container: ContainerProxy) -> None:
        self._container = container
        self._writer = SliceWriter(container, partition_field="slice")

    async def create(self, record: JsonObject) -> Created:
        return await self._writer.create(record)

    async def read(self, request_id: str) -> list[JsonObject]:
        return await _query(
            self._container,
            "SELECT * FROM c WHERE c.request_id = @id",
            slice_of_request(request_id),
            [{"name": "@id", "value": request_id}],
        )

    async def slice(self, slice_id: str, *, fields: Sequence[str]) -> AsyncIterator[JsonObject]:
        try:
            async for item in self._container.query_items(
                _select(fields), partition_key=slice_id, max_item_count=1_000
            ):
                yield dict(item)
        except (AzureError, TimeoutError, OSError) as error:
            raise DependencyUnavailable(SERVICE, _reason(error)) from error


class CosmosGroupStore:
    """The container `groups`, partition key `/bucket`."""

    def __init__(self, container: ContainerProxy) -> None:
        self._container = container
        self._writer = SliceWriter(container, partition_field="bucket")

    async def create(self, record: JsonObject) -> Created:
        return await self._writer.create(record)

    async def read(self, bucket: str, record_id: str) -> JsonObject | None:
        try:
            return dict(await self._container.read_item(record_id, partition_key=bucket))
        except CosmosResourceNotFoundError:
            return None
        except (AzureError, TimeoutError, OSError) as error:
            raise DependencyUnavailable(SERVICE, _reason(error)) from error

    async def bucket(self, bucket: str, *, fields: Sequence[str]) -> list[JsonObject]:
        return await _query(self._container, _select(fields), bucket)

    async def ping(self) -> None:
        """Readiness: one query of an empty partition. A read of an item that is not there would
        not do: a missing container or database answers 404 as well. Raises DependencyUnavailable.
        """
        async with asyncio.timeout(REQUEST_SECONDS):
            await self.bucket("none", fields=["id"])


class CosmosCapacityStore:
    """The container `capacity`, partition key `/deployment`."""

    def __init__(self, container: ContainerProxy) -> None:
        self._container = container

    async def write(self, record: JsonObject) -> None:
        try:
            await self._container.upsert_item(record)
        except (AzureError, TimeoutError, OSError) as error:
            raise DependencyUnavailable(SERVICE, _reason(error)) from error

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        query = "SELECT * FROM c WHERE c._ts >= @since"
        parameters: list[dict[str, Any]] = [{"name": "@since", "value": int(since)}]
        if kinds is not None:
            query += " AND ARRAY_CONTAINS(@kinds, c.type)"
            parameters.append({"name": "@kinds", "value": list(kinds)})
        return await _query(self._container, query, deployment, parameters)

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        try:
            if etag is None:
                written = await self._container.create_item(record)
            else:
                written = await self._container.replace_item(
                    record["id"],
                    record,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                )
        except (
            CosmosResourceExistsError,
            CosmosAccessConditionFailedError,
            CosmosResourceNotFoundError,
        ):
            return None
        except (AzureError, TimeoutError, OSError) as error:
            raise DependencyUnavailable(SERVICE, _reason(error)) from error
        return str(written["_etag"])


def _reason(error: BaseException) -> str:
    """Short, and without the headers and bodies that the SDK's messages carry."""
    if isinstance(error, CosmosHttpResponseError):
        return f"status {error.status_code}"
    return type(error).__name__
