"""The store's containers in memory: what a process writes, others read a second later.

Records cross as bytes, so that processes share no Python object. A create or a swap is decided at
once, by the newest version, as a store with one write region does.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from local.virtual_time import EPOCH
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import Created

VISIBLE_AFTER_SECONDS = 1.0
"""From a write to the first read that sees it."""

ANSWER_SECONDS = 0.01
"""How long the store takes for one operation."""

TIDY_EVERY = 256
"""Writes between two clearings of what nobody can read any more."""


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(slots=True)
class _Version:
    """One version of a record, from its write until the next one's; times of the loop."""

    record_id: str
    kind: str
    content: bytes
    etag: str
    written_at: float
    replaced_at: float
    expires_at: float

    @property
    def ts(self) -> int:
        """`_ts`: the store's clock, whole seconds."""
        return int(EPOCH + self.written_at)

    def seen_at(self, moment: float) -> bool:
        return self.written_at <= moment < self.replaced_at and moment < self.expires_at

    def read(self) -> JsonObject:
        record: JsonObject = orjson.loads(self.content)
        record["_etag"] = self.etag
        record["_ts"] = self.ts
        return record


class CapacityContainer:
    """The container `capacity`: upserts, swaps by etag, and what has changed since."""

    def __init__(self) -> None:
        self.writes = 0
        self.reads = 0
        self._versions: dict[str, list[_Version]] = {}
        self._newest: dict[tuple[str, str], _Version] = {}

    async def write(self, record: JsonObject) -> None:
        await asyncio.sleep(ANSWER_SECONDS)
        self.put(record)

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        await asyncio.sleep(ANSWER_SECONDS)
        self.reads += 1
        versions = self._versions.get(deployment, [])
        first = bisect_left(versions, int(since), key=lambda version: version.ts)
        moment = _now() - VISIBLE_AFTER_SECONDS
        return [
            one.read()
            for one in versions[first:]
            if one.seen_at(moment) and (kinds is None or one.kind in kinds)
        ]

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        await asyncio.sleep(ANSWER_SECONDS)
        newest = self._newest.get((record["deployment"], record["id"]))
        alive = newest is not None and _now() < newest.expires_at
        if (newest.etag if newest is not None and alive else None) != etag:
            return None
        return self.put(record)

    def put(self, record: JsonObject) -> str:
        """Write at once: for what comes from elsewhere and has waited for its time already."""
        now = _now()
        self.writes += 1
        place = (record["deployment"], record["id"])
        known = self._newest.get(place)
        if known is not None:
            known.replaced_at = now
        version = self._newest[place] = _Version(
            record_id=record["id"],
            kind=record["type"],
            content=orjson.dumps(record),
            etag=f'"{self.writes}"',
            written_at=now,
            replaced_at=math.inf,
            expires_at=now + record.get("ttl", math.inf),
        )
        self._versions.setdefault(record["deployment"], []).append(version)
        if self.writes % TIDY_EVERY == 0:
            self._tidy(now - VISIBLE_AFTER_SECONDS)
        return version.etag

    def _tidy(self, moment: float) -> None:
        for deployment, versions in self._versions.items():
            kept = [v for v in versions if v.replaced_at > moment and v.expires_at > moment]
            self._versions[deployment] = kept
            for version in versions:
                if version.expires_at <= moment:
                    place = (deployment, version.record_id)
                    if self._newest.get(place) is version:
                        del self._newest[place]


class _Container:
    """Creates, decided at once; reads see them a second later."""

    def __init__(self, partition_field: str) -> None:
        self._partition_field = partition_field
        self._records: dict[str, dict[str, tuple[float, bytes]]] = {}

    async def create(self, record: JsonObject) -> Created:
        await asyncio.sleep(ANSWER_SECONDS)
        partition = self._records.setdefault(record[self._partition_field], {})
        if record["id"] in partition:
            return Created.REFUSED
        partition[record["id"]] = (_now(), orjson.dumps(record))
        return Created.CREATED

    def _seen(self, partition: str, *, prefix: str = "") -> list[JsonObject]:
        moment = _now() - VISIBLE_AFTER_SECONDS
        return [
            orjson.loads(content)
            for record_id, (written_at, content) in self._records.get(partition, {}).items()
            if written_at <= moment and record_id.startswith(prefix)
        ]


class LedgerContainer(_Container):
    """The container `requests`. A partition here is one request: nothing is read across them."""

    def __init__(self) -> None:
        super().__init__("request_id")

    async def read(self, request_id: str) -> list[JsonObject]:
        await asyncio.sleep(ANSWER_SECONDS)
        return self._seen(request_id)

    async def slice(self, slice_id: str, *, fields: Sequence[str]) -> AsyncIterator[JsonObject]:
        await asyncio.sleep(ANSWER_SECONDS)
        for request_id in list(self._records):
            for record in self._seen(request_id):
                if record["slice"] == slice_id:
                    yield _only(record, fields)


class GroupContainer(_Container):
    """The container `groups`."""

    def __init__(self) -> None:
        super().__init__("bucket")

    async def read(self, bucket: str, record_id: str) -> JsonObject | None:
        await asyncio.sleep(ANSWER_SECONDS)
        found = [record for record in self._seen(bucket) if record["id"] == record_id]
        return found[0] if found else None

    async def bucket(self, bucket: str, *, fields: Sequence[str]) -> list[JsonObject]:
        await asyncio.sleep(ANSWER_SECONDS)
        return [_only(record, fields) for record in self._seen(bucket)]

    async def ping(self) -> None:
        await asyncio.sleep(ANSWER_SECONDS)


class BlobContainer:
    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    async def write(self, name: str, content: bytes) -> None:
        await asyncio.sleep(ANSWER_SECONDS)
        self._blobs[name] = content

    async def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes | None:
        await asyncio.sleep(ANSWER_SECONDS)
        content = self._blobs.get(name)
        if content is None:
            return None
        return content[offset:] if length is None else content[offset : offset + length]

    async def ping(self) -> None:
        await asyncio.sleep(ANSWER_SECONDS)


def _only(record: JsonObject, names: Sequence[str]) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}
