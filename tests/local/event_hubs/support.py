"""What the tests of the local Event Hubs share: a stepped clock, a checkpoint store, consumers."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from azure.eventhub import EventData
from azure.eventhub.aio import (
    CheckpointStore,
    EventHubConsumerClient,
    EventHubProducerClient,
    PartitionContext,
)

DEADLINE_SECONDS = 15.0
"""How long a real socket may take; nothing waits that long when all is well."""

QUICK: dict[str, Any] = {
    "socket_timeout": 0.02,
    "retry_backoff_factor": 0.02,
    "retry_backoff_max": 0.1,
}
"""Client options: the SDK without most of its pauses."""


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`, and fail naming `what` if it does not come."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {DEADLINE_SECONDS:g} s in vain for {what}")
        await asyncio.sleep(0.01)


class Clock:
    """The time of day, which moves on when a test says so."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class HubUnderTest:
    """A hub of some namespace: this server's, Microsoft's emulator's or Azure's.

    Opening a link takes azure-eventhub half a second whatever the server does, and closing a
    consumer one second; so tests share a producer, and consumers finish closing behind them.
    """

    def __init__(self, connection_string: str, name: str) -> None:
        self.connection_string = connection_string
        self.name = name
        self._shared: EventHubProducerClient | None = None
        self._partitions: list[str] = []
        self._closing: set[asyncio.Task[None]] = set()

    def producer(self, **options: Any) -> EventHubProducerClient:
        """A producer of the unmodified SDK."""
        return EventHubProducerClient.from_connection_string(
            self.connection_string, eventhub_name=self.name, **{**QUICK, **options}
        )

    def consumer(self, *, group: str = "$Default", **options: Any) -> EventHubConsumerClient:
        """A consumer of the unmodified SDK, which balances quickly."""
        return EventHubConsumerClient.from_connection_string(
            self.connection_string,
            group,
            eventhub_name=self.name,
            **{**QUICK, "load_balancing_interval": 0.2, **options},
        )

    def shared_producer(self) -> EventHubProducerClient:
        """The producer that tests share when they do not look at it."""
        if self._shared is None:
            self._shared = self.producer()
        return self._shared

    async def ends(self) -> dict[str, Any]:
        """Where each partition ends now, as starting positions: a hub may hold older events."""
        producer = self.shared_producer()
        self._partitions = self._partitions or await producer.get_partition_ids()
        properties = await asyncio.gather(*map(producer.get_partition_properties, self._partitions))
        return {
            each["id"]: "-1" if each["is_empty"] else each["last_enqueued_sequence_number"]
            for each in properties
        }

    async def publish(
        self, bodies: Iterable[bytes], *, partition: str | None = None, key: str | None = None
    ) -> None:
        """Publish events in as few batches as it takes."""
        producer = self.shared_producer()
        batch = await producer.create_batch(partition_id=partition, partition_key=key)
        for body in bodies:
            try:
                batch.add(EventData(body))
            except ValueError:
                await producer.send_batch(batch)
                batch = await producer.create_batch(partition_id=partition, partition_key=key)
                batch.add(EventData(body))
        await producer.send_batch(batch)

    @asynccontextmanager
    async def receiving(
        self,
        *,
        group: str = "$Default",
        client: Mapping[str, Any] | None = None,
        checkpoint: bool = False,
        tracks: bool = False,
        **options: Any,
    ) -> AsyncIterator[Received]:
        """A consumer at work; on leaving, it has let go of what others could not take."""
        consumer = self.consumer(group=group, **(client or {}))
        received = Received(checkpoint=checkpoint, tracks=tracks)
        task = asyncio.create_task(
            consumer.receive_batch(
                received.on_batch,
                on_error=received.on_error,
                on_partition_initialize=received.on_start,
                on_partition_close=received.on_end,
                track_last_enqueued_event_properties=tracks,
                **{"starting_position": "-1", **options},
            )
        )
        try:
            yield received
        finally:
            self._closing |= {asyncio.create_task(consumer.close()), task}
            if "owner_level" in options or checkpoint:
                await until(lambda: not received.owned, "the consumer to let go")

    async def close(self) -> None:
        """Wait for what is still closing."""
        if self._shared is not None:
            await self._shared.close()
        if self._closing:
            await asyncio.wait(self._closing, timeout=DEADLINE_SECONDS)


def body_of(event: EventData) -> bytes:
    """An event's body."""
    pieces: Any = event.body  # typed as whatever an AMQP value may be
    return b"".join(pieces)


@dataclass
class Received:
    """What a consumer has been given."""

    events: list[EventData] = field(default_factory=list)
    by_partition: dict[str, list[EventData]] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    last_enqueued: list[Mapping[str, Any]] = field(default_factory=list)
    owned: set[str] = field(default_factory=set)
    checkpoint: bool = False
    tracks: bool = False

    async def on_batch(self, context: PartitionContext, events: list[EventData]) -> None:
        """Called by the SDK with events."""
        self.events.extend(events)
        self.by_partition.setdefault(context.partition_id, []).extend(events)
        if events and self.tracks:
            self.last_enqueued.append(context.last_enqueued_event_properties or {})
        if events and self.checkpoint:
            await context.update_checkpoint(events[-1])

    async def on_error(self, context: PartitionContext | None, error: Exception) -> None:
        """Called by the SDK when it gives up on a partition."""
        self.errors.append(error)

    async def on_start(self, context: PartitionContext) -> None:
        """Called by the SDK when it starts to read a partition."""
        self.owned.add(context.partition_id)

    async def on_end(self, context: PartitionContext, reason: object) -> None:
        """Called by the SDK when it has closed a partition's link."""
        self.owned.discard(context.partition_id)

    async def count(self, wanted: int) -> list[EventData]:
        """Wait for that many events."""
        await until(lambda: len(self.events) >= wanted, f"{wanted} events")
        return self.events

    def bodies(self) -> list[bytes]:
        """The events' bodies in the order they came."""
        return [body_of(event) for event in self.events]


class FakeCheckpointStore(CheckpointStore):
    """Ownership and checkpoints in memory, with the etag rule that balancing relies on."""

    def __init__(self) -> None:
        self._ownership: dict[tuple[str, ...], dict[str, Any]] = {}
        self._checkpoints: dict[tuple[str, ...], dict[str, Any]] = {}
        self._etags = itertools.count()

    @staticmethod
    def _key(record: Mapping[str, Any]) -> tuple[str, ...]:
        names = ("fully_qualified_namespace", "eventhub_name", "consumer_group", "partition_id")
        return tuple(record[name] for name in names)

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: Any
    ) -> list[dict[str, Any]]:
        """Every ownership of a group."""
        prefix = (fully_qualified_namespace, eventhub_name, consumer_group)
        return [dict(v) for k, v in self._ownership.items() if k[:3] == prefix]

    async def claim_ownership(
        self, ownership_list: Iterable[dict[str, Any]], **_: Any
    ) -> list[dict[str, Any]]:
        """Take what nobody else has taken since it was listed."""
        claimed = []
        for wanted in ownership_list:
            current = self._ownership.get(self._key(wanted))
            if current is not None and current["etag"] != wanted.get("etag"):
                continue
            taken = {**wanted, "etag": str(next(self._etags)), "last_modified_time": time.time()}
            self._ownership[self._key(wanted)] = taken
            claimed.append(dict(taken))
        return claimed

    async def update_checkpoint(self, checkpoint: dict[str, Any], **_: Any) -> None:
        """Remember how far a partition was read."""
        self._checkpoints[self._key(checkpoint)] = dict(checkpoint)

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: Any
    ) -> list[dict[str, Any]]:
        """Every checkpoint of a group."""
        prefix = (fully_qualified_namespace, eventhub_name, consumer_group)
        return [dict(v) for k, v in self._checkpoints.items() if k[:3] == prefix]
