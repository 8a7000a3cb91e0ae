"""What one process of the app is given instead of Azure's services.

A process that was killed reaches nothing any more, whatever its clean-up would like to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from benchmarks.control.hubs import MemoryHubs
from benchmarks.control.jobs import KnownLengths
from benchmarks.control.plant import Plant
from benchmarks.control.store import (
    BlobContainer,
    CapacityContainer,
    GroupContainer,
    LedgerContainer,
)
from ptu_optimizer.backends.tokens import TokenEstimator
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import Outgoing, PartitionState
from ptu_optimizer.ports.id_keys import KeyVersion
from ptu_optimizer.ports.model_calls import CallResult
from ptu_optimizer.ports.stores import Created


@dataclass(kw_only=True)
class World:
    """All that the processes of a row share."""

    plant: Plant
    hubs: MemoryHubs
    capacity: CapacityContainer
    ledger: LedgerContainer
    groups: GroupContainer
    blobs: BlobContainer
    last_sender: Wire | None = None
    """Of the process that sent most recently."""


class Wire:
    """A process's connection to the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cut = False

    def reach(self) -> World:
        if self.cut:
            raise asyncio.CancelledError("this process was killed")
        return self.world


class _Ledger:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def create(self, record: JsonObject) -> Created:
        return await self._wire.reach().ledger.create(record)

    async def read(self, request_id: str) -> list[JsonObject]:
        return await self._wire.reach().ledger.read(request_id)

    def slice(self, slice_id: str, *, fields: Sequence[str]) -> AsyncIterator[JsonObject]:
        return self._wire.reach().ledger.slice(slice_id, fields=fields)


class _Groups:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def create(self, record: JsonObject) -> Created:
        return await self._wire.reach().groups.create(record)

    async def read(self, bucket: str, record_id: str) -> JsonObject | None:
        return await self._wire.reach().groups.read(bucket, record_id)

    async def bucket(self, bucket: str, *, fields: Sequence[str]) -> list[JsonObject]:
        return await self._wire.reach().groups.bucket(bucket, fields=fields)

    async def ping(self) -> None:
        await self._wire.reach().groups.ping()


class _Capacity:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def write(self, record: JsonObject) -> None:
        await self._wire.reach().capacity.write(record)

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        return await self._wire.reach().capacity.changed(deployment, since=since, kinds=kinds)

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        return await self._wire.reach().capacity.swap(record, etag=etag)


class _Blobs:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def write(self, name: str, content: bytes) -> None:
        await self._wire.reach().blobs.write(name, content)

    async def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes | None:
        return await self._wire.reach().blobs.read(name, offset=offset, length=length)

    async def ping(self) -> None:
        await self._wire.reach().blobs.ping()


class _Hubs:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def ready(self, hub: str) -> None:
        await self._wire.reach().hubs.ready(hub)

    async def publish(self, hub: str, events: Sequence[Outgoing]) -> None:
        await self._wire.reach().hubs.publish(hub, events)

    async def partitions(self, hub: str) -> list[PartitionState]:
        return await self._wire.reach().hubs.partitions(hub)

    async def ping(self, hub: str) -> None:
        await self._wire.reach().hubs.ping(hub)


class _Monitor:
    """The metric comes by the store, where the timer's function puts it."""

    async def minutes(self) -> list[Minute]:
        return []


class _Caller:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def complete(
        self, *, deployment: str, body: JsonObject, call_id: str, timeout_seconds: float
    ) -> CallResult:
        world = self._wire.reach()
        world.last_sender = self._wire
        return await world.plant.complete(body, timeout_seconds=timeout_seconds)


class _IdKeys:
    """Nobody asks for it: the settings of a row hold the key."""

    async def read(self) -> list[KeyVersion]:
        raise LookupError("the key of request ids stands in REQUEST_ID_KEY")


class MemoryServices:
    """`ptu_optimizer.services.Services`, in memory."""

    def __init__(self, wire: Wire) -> None:
        self.hubs = _Hubs(wire)
        self.groups = _Groups(wire)
        self.ledger = _Ledger(wire)
        self.capacity = _Capacity(wire)
        self.blobs = _Blobs(wire)
        self.monitor = _Monitor()
        self.caller = _Caller(wire)
        self.id_keys = _IdKeys()
        self.estimator: TokenEstimator = KnownLengths()
