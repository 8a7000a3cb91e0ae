"""The three hubs in memory: partitions, keys placed as Azure places them, and an endless backlog.

A partition's batch stays until it was handled: who dies with it leaves it to the next reader.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from local.event_hubs.partition_key import partition_for_key
from local.virtual_time import EPOCH
from ptu_optimizer.ports.hubs import HUBS, DeliveredEvent, Outgoing, PartitionState

PUBLISH_SECONDS = 0.02
"""Until the hub has acknowledged a publication."""

ENQUEUED_EARLIER_SECONDS = 600.0
"""How long before the start the backlog was published."""


class Partition:
    """Events in order. `backlog` never ends, and lies before whatever is published."""

    def __init__(self, hub: str, number: int, backlog: Iterator[bytes] | None = None) -> None:
        self.hub = hub
        self.number = number
        self._backlog = backlog
        self._events: deque[DeliveredEvent] = deque()
        self._next = 0
        self._someone: asyncio.Future[None] | None = None

    @property
    def last_sequence_number(self) -> int:
        return self._next - 1

    def put(self, payload: bytes) -> None:
        self._append(payload, EPOCH + asyncio.get_running_loop().time())
        if self._someone is not None and not self._someone.done():
            self._someone.set_result(None)

    async def peek(self, most: int) -> list[DeliveredEvent]:
        """The next events, at least one; they stay until `done`."""
        while self._backlog is not None and len(self._events) < most:
            self._append(next(self._backlog), EPOCH - ENQUEUED_EARLIER_SECONDS)
        while not self._events:
            self._someone = asyncio.get_running_loop().create_future()
            await self._someone
        return [self._events[index] for index in range(min(most, len(self._events)))]

    def done(self, count: int) -> None:
        """The checkpoint: the first `count` events were handled."""
        for _ in range(count):
            self._events.popleft()

    def _append(self, payload: bytes, enqueued_at: float) -> None:
        event = DeliveredEvent(raw=payload, sequence_number=self._next, enqueued_at=enqueued_at)
        self._next += 1
        self._events.append(event)


class MemoryHubs:
    """All hubs, each of `count` partitions; `backlogs` by partition of the hub `requests`."""

    def __init__(self, *, count: int, backlogs: Mapping[int, Iterator[bytes]]) -> None:
        self.published: dict[str, int] = dict.fromkeys(HUBS, 0)
        self._turn = 0
        self._hubs = {
            hub: [
                Partition(hub, number, backlogs.get(number) if hub == HUBS[0] else None)
                for number in range(count)
            ]
            for hub in HUBS
        }

    def all_partitions(self) -> list[Partition]:
        return [partition for partitions in self._hubs.values() for partition in partitions]

    async def ready(self, hub: str) -> None:
        await asyncio.sleep(PUBLISH_SECONDS)

    async def ping(self, hub: str) -> None:
        await asyncio.sleep(PUBLISH_SECONDS)

    async def partitions(self, hub: str) -> list[PartitionState]:
        await asyncio.sleep(PUBLISH_SECONDS)
        return [
            PartitionState(
                partition=str(one.number),
                last_sequence_number=one.last_sequence_number,
                is_empty=one.last_sequence_number < 0,
            )
            for one in self._hubs[hub]
        ]

    async def publish(self, hub: str, events: Sequence[Outgoing]) -> None:
        await asyncio.sleep(PUBLISH_SECONDS)
        partitions = self._hubs[hub]
        self.published[hub] += len(events)
        for event in events:
            if event.partition is not None:
                number = int(event.partition)
            elif event.key is not None:
                number = partition_for_key(event.key, len(partitions))
            else:
                self._turn += 1
                number = self._turn % len(partitions)
            partitions[number].put(event.payload)
