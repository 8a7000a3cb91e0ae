"""Stores in memory that behave as the adapters promise, and can be away or leave a fate unknown."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Sequence
from typing import Any

from local.virtual_time import EPOCH
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import Created

COSMOS = "Cosmos DB"


class FakeBlobs:
    def __init__(self, blobs: dict[str, bytes] | None = None, *, away: bool = False) -> None:
        self.blobs = dict(blobs or {})
        self.away = away

    async def write(self, name: str, content: bytes) -> None:
        self._reach()
        self.blobs[name] = content

    async def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes | None:
        self._reach()
        content = self.blobs.get(name)
        if content is None:
            return None
        return content[offset:] if length is None else content[offset : offset + length]

    def _reach(self) -> None:
        if self.away:
            raise DependencyUnavailable("Blob storage", "it is away")


class _Creates:
    """Creates by (partition, id). `fates` are what the next creates report, and whether they land:
    "lost" is UNKNOWN and did not land, "landed" is UNKNOWN and did."""

    partition: str

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], JsonObject] = {}
        self.fates: list[str] = []
        self.away = False
        self.creates = 0

    async def create(self, record: JsonObject) -> Created:
        self.creates += 1
        fate = self.fates.pop(0) if self.fates else "told"
        if self.away or fate == "lost":
            return Created.UNKNOWN
        key = (record[self.partition], record["id"])
        if key in self.records:
            return Created.UNKNOWN if fate == "landed" else Created.REFUSED
        self.records[key] = copy.deepcopy(record)
        return Created.UNKNOWN if fate == "landed" else Created.CREATED

    def put(self, *records: JsonObject) -> None:
        """As an output binding does: an upsert."""
        for record in records:
            self.records[record[self.partition], record["id"]] = copy.deepcopy(record)

    def of_type(self, type_: str) -> list[JsonObject]:
        return [r for r in self.records.values() if r.get("type") == type_]

    def _reach(self) -> None:
        if self.away:
            raise DependencyUnavailable(COSMOS, "it is away")


class FakeGroups(_Creates):
    """The container `groups`."""

    partition = "bucket"

    async def read(self, bucket: str, record_id: str) -> JsonObject | None:
        self._reach()
        return copy.deepcopy(self.records.get((bucket, record_id)))

    async def bucket(self, bucket: str, *, fields: Sequence[str]) -> list[JsonObject]:
        self._reach()
        return [
            {name: copy.deepcopy(record[name]) for name in fields if name in record}
            for (place, _), record in self.records.items()
            if place == bucket
        ]


class FakeRequests(_Creates):
    """The container `requests`."""

    partition = "slice"

    async def read(self, request_id: str) -> list[JsonObject]:
        self._reach()
        return [
            copy.deepcopy(record)
            for record in self.records.values()
            if record.get("request_id") == request_id
        ]

    async def slice(self, slice_id: str, *, fields: Sequence[str]) -> AsyncIterator[JsonObject]:
        self._reach()
        for (place, _), record in list(self.records.items()):
            if place == slice_id:
                yield {name: record[name] for name in fields if name in record}


class FakeCapacity:
    """The container `capacity`: stamps `_ts` and `_etag`, and lets records die of their `ttl`.

    A read sees what was written `visible_after` seconds before; a swap is decided by the newest.
    """

    def __init__(self, *, away: bool = False, visible_after: float = 0.0) -> None:
        self.records: dict[tuple[Any, Any], JsonObject] = {}
        """The newest version of each, by deployment and id."""
        self.writes = 0
        self.away = away
        self.visible_after = visible_after
        self._history: list[tuple[float, JsonObject]] = []

    async def write(self, record: JsonObject) -> None:
        self._reach()
        self._put(record)

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        self._reach()
        return [
            copy.deepcopy(record)
            for (place, _), record in self._visible().items()
            if place == deployment
            and (kinds is None or record["type"] in kinds)
            and self._lives(record)
            and int(since) <= _written_at(record, otherwise=since)
        ]

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        self._reach()
        known = self.records.get((record["deployment"], record["id"]))
        if known is not None and not self._lives(known):
            known = None
        if (None if known is None else known.get("_etag")) != etag:
            return None
        return self._put(record)

    def of_type(self, type_: str) -> list[JsonObject]:
        return [record for record in self.records.values() if record["type"] == type_]

    def _put(self, record: JsonObject) -> str:
        self.writes += 1
        etag, now = str(self.writes), self._now()
        stored = {**copy.deepcopy(record), "_etag": etag, "_ts": int(now)}
        self.records[record["deployment"], record["id"]] = stored
        if self.visible_after:
            self._history.append((now, stored))
        return etag

    def _visible(self) -> dict[tuple[Any, Any], JsonObject]:
        if not self.visible_after:
            return self.records
        moment = self._now() - self.visible_after
        return {(r["deployment"], r["id"]): r for at, r in self._history if at <= moment}

    def _lives(self, record: JsonObject) -> bool:
        ttl, written_at = record.get("ttl"), _written_at(record, otherwise=self._now())
        return ttl is None or self._now() < written_at + ttl

    @staticmethod
    def _now() -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def _reach(self) -> None:
        if self.away:
            raise DependencyUnavailable(COSMOS, "it is away")


def _written_at(record: JsonObject, *, otherwise: float) -> float:
    """`_ts`; a test may have put a record there without it."""
    at = record.get("_ts")
    return at if isinstance(at, int | float) else otherwise
