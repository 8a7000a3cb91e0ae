"""Event Hubs: few, full batches; producers built once; the SDK's exceptions end here."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from azure.eventhub import EventData, EventDataBatch, parse_connection_string
from azure.eventhub.aio import EventHubProducerClient
from azure.eventhub.exceptions import EventHubError

from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.hubs import Outgoing, PartitionState, PublishFailed

from .identity import Identity

SERVICE = "Event Hubs"

EVENTS_PER_BATCH = 250
"""Batches of one link wait for one another's acknowledgement, so fewer and larger ones are faster
(docs/decisions/0011); a batch lands on one partition, so it must not hold a whole call either."""

TRIES = 3
"""The SDK does not retry "server busy" (it surfaces at once), so a send is repeated here."""

PAUSE_SECONDS = 0.2
REQUEST_SECONDS = 10.0

SEND_SECONDS = 20.0
"""A hub that takes connections but does not answer: the SDK would wait for minutes, its own timeout
notwithstanding. Batches of one link wait for one another within this time."""

HEARD_SECONDS = 0.25
"""How long a hub's last word vouches for it. The SDK does not notice that a hub has gone until it
sends, which is too late for a caller who is to be told. Who publishes at a rate never has to look.
"""

KNOCK_SECONDS = 5.0
AMQPS_PORT = 5671

EMULATOR_PORT = 5672
"""Microsoft's emulator speaks AMQP without TLS; its connection string names no port."""

_FAULTS = (EventHubError, TimeoutError, OSError)


class EventHubs:
    """Publisher and HubReader of one namespace."""

    def __init__(
        self,
        *,
        connection_string: str | None,
        namespace: str | None,
        identity: Identity,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self._connection_string = connection_string
        self._namespace = namespace
        self._identity = identity
        self._send_seconds = send_seconds
        self._producers: dict[str, EventHubProducerClient] = {}
        self._partition_ids: dict[str, list[str]] = {}
        self._suspect: set[str] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._heard_at = float("-inf")
        """When the namespace last answered, monotonic."""

    async def ready(self, hub: str) -> None:
        """Makes sure that the hub is there, and opens the link that a batch will take.

        A namespace that was not heard just now gets a TCP connection, which costs a millisecond; a
        hub that failed to take a batch is asked, which costs half a second.
        """
        if hub in self._suspect:
            await self.ping(hub)
            self._suspect.discard(hub)
        elif time.monotonic() - self._heard_at >= HEARD_SECONDS:
            await self._knock()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self._producer(hub).create_batch()
        except _FAULTS as error:
            raise DependencyUnavailable(SERVICE, type(error).__name__) from error

    async def ping(self, hub: str) -> None:
        """Asks the hub, over the wire. Raises DependencyUnavailable."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self._producer(hub).get_eventhub_properties()
        except _FAULTS as error:
            raise DependencyUnavailable(SERVICE, type(error).__name__) from error

    async def publish(self, hub: str, events: Sequence[Outgoing]) -> None:
        """Unkeyed events go where the service puts each batch (it takes turns). Keyed events go to
        a partition that we derive from the key, so that many keys share a batch."""
        try:
            async with asyncio.timeout(self._send_seconds):
                batches = await self._batches(hub, events)
            results = await asyncio.gather(
                *(self._send(hub, batch) for batch in batches), return_exceptions=True
            )
        except _FAULTS as error:
            self._suspect.add(hub)
            raise PublishFailed(hub, sent=0, reason=type(error).__name__) from error
        failed = [result for result in results if isinstance(result, BaseException)]
        sent = sum(
            len(batch)
            for batch, result in zip(batches, results, strict=True)
            if not isinstance(result, BaseException)
        )
        for failure in failed:
            if not isinstance(failure, _FAULTS):
                raise failure
        if failed:
            self._suspect.add(hub)
            raise PublishFailed(hub, sent=sent, reason=type(failed[0]).__name__) from failed[0]

    async def partitions(self, hub: str) -> list[PartitionState]:
        producer = self._producer(hub)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                states = await asyncio.gather(
                    *(
                        producer.get_partition_properties(partition)
                        for partition in await self._partitions_of(hub)
                    )
                )
        except _FAULTS as error:
            raise DependencyUnavailable(SERVICE, type(error).__name__) from error
        return [
            PartitionState(
                partition=state["id"],
                last_sequence_number=state["last_enqueued_sequence_number"],
                is_empty=state["is_empty"],
            )
            for state in states
        ]

    async def close(self) -> None:
        for producer in self._producers.values():
            await producer.close()

    async def _knock(self) -> None:
        host, port = self._address
        try:
            async with asyncio.timeout(KNOCK_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except _FAULTS as error:
            raise DependencyUnavailable(SERVICE, type(error).__name__) from error
        writer.close()
        self._heard_at = time.monotonic()

    @cached_property
    def _address(self) -> tuple[str, int]:
        namespace, port = self._namespace or "", AMQPS_PORT
        if self._connection_string is not None:
            parsed = parse_connection_string(self._connection_string)
            namespace = parsed.fully_qualified_namespace
            if "usedevelopmentemulator=true" in self._connection_string.lower():
                port = EMULATOR_PORT
        place = urlsplit(f"//{namespace}")
        return place.hostname or "", place.port or port

    async def _send(self, hub: str, batch: EventDataBatch) -> None:
        for tried in range(TRIES):
            producer = self._producer(hub)
            try:
                async with asyncio.timeout(self._send_seconds):
                    await producer.send_batch(batch)
                self._heard_at = time.monotonic()
                return
            except TimeoutError:
                self._give_up(hub, producer)
                raise
            except _FAULTS:
                if tried == TRIES - 1:
                    raise
                await asyncio.sleep(PAUSE_SECONDS * 2**tried)

    def _give_up(self, hub: str, producer: EventHubProducerClient) -> None:
        """A send was cut off half-way: the next one gets a new link."""
        if self._producers.get(hub) is producer:
            del self._producers[hub]
        closing = asyncio.create_task(producer.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closed)

    def _closed(self, closing: asyncio.Task[None]) -> None:
        self._closing.discard(closing)
        if not closing.cancelled():
            closing.exception()  # nobody minds how a dead link ends

    async def _batches(self, hub: str, events: Sequence[Outgoing]) -> list[EventDataBatch]:
        by_partition: dict[str | None, list[bytes]] = {}
        for event in events:
            partition = event.partition
            if event.key is not None:
                partition = await self._partition_of(hub, event.key)
            by_partition.setdefault(partition, []).append(event.payload)
        batches: list[EventDataBatch] = []
        for partition, payloads in by_partition.items():
            batches += await self._fill(hub, partition, payloads)
        return batches

    async def _fill(
        self, hub: str, partition: str | None, payloads: Sequence[bytes]
    ) -> list[EventDataBatch]:
        producer = self._producer(hub)
        batches: list[EventDataBatch] = []
        batch: EventDataBatch | None = None
        for payload in payloads:
            if batch is None or len(batch) >= EVENTS_PER_BATCH:
                batch = await producer.create_batch(partition_id=partition)
                batches.append(batch)
            try:
                batch.add(EventData(payload))
            except ValueError:
                if len(batch) == 0:
                    raise  # larger than any batch: a bug, since inputs move to blobs far below
                batch = await producer.create_batch(partition_id=partition)
                batches.append(batch)
                batch.add(EventData(payload))
        return batches

    async def _partition_of(self, hub: str, key: str) -> str:
        partitions = await self._partitions_of(hub)
        return partitions[zlib.crc32(key.encode()) % len(partitions)]

    async def _partitions_of(self, hub: str) -> list[str]:
        if hub not in self._partition_ids:
            self._partition_ids[hub] = sorted(await self._producer(hub).get_partition_ids())
        return self._partition_ids[hub]

    def _producer(self, hub: str) -> EventHubProducerClient:
        if hub not in self._producers:
            self._producers[hub] = self._build(hub)
        return self._producers[hub]

    def _build(self, hub: str) -> EventHubProducerClient:
        options: dict[str, Any] = {"retry_total": 1, "retry_backoff_max": 1}
        if self._connection_string is not None:
            return EventHubProducerClient.from_connection_string(
                self._connection_string, eventhub_name=hub, **options
            )
        return EventHubProducerClient(
            fully_qualified_namespace=self._namespace or "",
            eventhub_name=hub,
            credential=self._identity.credential,
            **options,
        )
