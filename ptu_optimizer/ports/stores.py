"""Cosmos DB and Blob storage, as the use cases need them; `composition` hands adapters in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from enum import Enum
from typing import Protocol

from .documents import JsonObject


class Created(Enum):
    """The fate of a create. UNKNOWN: it may have landed, may land later, or is lost."""

    CREATED = "created"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class LedgerStore(Protocol):
    """The container `requests`."""

    async def create(self, record: JsonObject) -> Created:
        """Create one slot. Never upserts. Raises nothing but for a store that refuses us."""
        ...

    async def read(self, request_id: str) -> list[JsonObject]:
        """Every record of one request: slots and annotations. Raises DependencyUnavailable."""
        ...

    def slice(self, slice_id: str, *, fields: Sequence[str]) -> AsyncIterator[JsonObject]:
        """Every record of a slice, with those of `fields` that it has. Raises
        DependencyUnavailable."""
        ...


class GroupStore(Protocol):
    """The container `groups`: groups, their closings, idempotency keys, hub positions."""

    async def create(self, record: JsonObject) -> Created: ...

    async def read(self, bucket: str, record_id: str) -> JsonObject | None:
        """Raises DependencyUnavailable."""
        ...

    async def bucket(self, bucket: str, *, fields: Sequence[str]) -> list[JsonObject]:
        """Every record of a bucket, with those of `fields` that it has. Raises
        DependencyUnavailable."""
        ...


class BlobStore(Protocol):
    """Large inputs and outcomes. Every method raises DependencyUnavailable."""

    async def write(self, name: str, content: bytes) -> None: ...

    async def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes | None:
        """None if there is no such blob; fewer bytes than `length` if it ends before."""
        ...


class CapacityStore(Protocol):
    """The container `capacity`, for what must not wait until a function ends."""

    async def write(self, record: JsonObject) -> None:
        """Upsert. Raises DependencyUnavailable."""
        ...

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        """Every record of a deployment written at or after `since`, which is compared with the
        records' `_ts` (the store's clock, whole seconds); 0.0 for all. Of these `type`s only, if
        `kinds` is given. Raises DependencyUnavailable.
        """
        ...

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        """Create (`etag` None) or replace a record that nobody has changed since it had this
        `_etag`. Returns its new one; None if somebody has. Raises DependencyUnavailable.
        """
        ...
