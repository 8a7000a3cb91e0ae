"""Hubs in memory, and the host that delivers from them: at least once, in order, with retries."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from local.virtual_time import EPOCH
from ptu_optimizer.ports.hubs import HUBS, DeliveredEvent, Delivery, Outgoing, PartitionState

from .process import Crashed

if TYPE_CHECKING:
    from .world import World

PARTITIONS = 2
RETRY_DELAY = 5.0
"""As in the retry policy of the triggers."""


@dataclass(slots=True)
class HubEvent:
    delivered: DeliveredEvent
    request_id: str
    is_result: bool
    label: str
    lost: bool = False


@dataclass
class Partition:
    hub: str
    index: int
    owner: int
    events: list[HubEvent] = field(default_factory=list)
    checkpoint: int = 0
    epoch: int = 0
    """Counts its owners: who is of an earlier one has lost the partition."""
    arrival: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        return f"{self.hub}/{self.index}"

    @property
    def unread(self) -> list[HubEvent]:
        return [event for event in self.events[self.checkpoint :] if not event.lost]


NUDGE = "nudge"


class Hubs:
    def __init__(self, world: World, *, skew: float) -> None:
        self._world = world
        self._skew = skew
        self.partitions = {
            hub: [Partition(hub, index, owner=index) for index in range(PARTITIONS)] for hub in HUBS
        }
        self._pumps: set[asyncio.Task[None]] = set()

    def all(self) -> list[Partition]:
        return [partition for partitions in self.partitions.values() for partition in partitions]

    def enqueue(self, hub: str, outgoing: Outgoing, *, at: float | None = None) -> None:
        """The hub takes an event, at its own time (or as a test says)."""
        world = self._world
        content = orjson.loads(outgoing.payload)
        request_id, is_result = content.get("request_id", NUDGE), content["kind"] == "result"
        name = NUDGE if request_id == NUDGE else world.books.name(request_id)
        if request_id == NUDGE:
            label = NUDGE
        elif is_result:
            label = f"result {name}:{content['record']['n']}"
        else:
            label = f"event {name} slot {content.get('slot', 1)} d{content.get('deferrals', 0)}"
        if outgoing.partition is not None:
            which = int(outgoing.partition)
        elif outgoing.key is None:
            which = int(world.faults.pick(f"partition of {label}", 0, PARTITIONS))
        else:
            assert outgoing.key == request_id
            which = zlib.crc32(name.encode()) % PARTITIONS
        partition = self.partitions[hub][which]
        event = HubEvent(
            DeliveredEvent(
                raw=outgoing.payload,
                sequence_number=len(partition.events),
                enqueued_at=world.now() + EPOCH + self._skew if at is None else at,
            ),
            request_id,
            is_result,
            label,
        )
        partition.events.append(event)
        world.say(f"hub {partition.name} has {label}")
        self._count(event)
        if world.faults.strikes("event lost", label, now=world.now()):
            self._lose(event)
        partition.arrival.set()

    def _count(self, event: HubEvent) -> None:
        books = self._world.books
        if event.request_id == NUDGE:
            return
        if event.is_result:
            token = orjson.loads(event.delivered.raw)["record"]["claim_token"]
            books.result_travels(event.request_id, token, now=self._world.now())
            return
        books.publications[event.request_id].append(self._world.now())
        copies = sum(
            other.request_id == event.request_id and not other.is_result
            for partition in self.all()
            for other in partition.unread
        )
        books.most_copies[event.request_id] = max(books.most_copies[event.request_id], copies)

    def _lose(self, event: HubEvent) -> None:
        event.lost = True
        if event.is_result:
            self._world.books.result_lost(event.request_id)

    def states(self, hub: str) -> list[PartitionState]:
        return [
            PartitionState(
                str(partition.index),
                len(partition.events) - 1,
                # retention takes the oldest: with the last event gone, all are
                is_empty=not partition.events or partition.events[-1].lost,
            )
            for partition in self.partitions[hub]
        ]

    def idle(self) -> bool:
        return not any(partition.unread for partition in self.all())

    # --- the host --------------------------------------------------------------------------------

    def start(self) -> None:
        for partition in self.all():
            self._pump(partition)

    def stop(self) -> None:
        for pump in self._pumps:
            pump.cancel()

    def _pump(self, partition: Partition) -> None:
        task = asyncio.create_task(self._deliver_all(partition, partition.epoch))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def _deliver_all(self, partition: Partition, epoch: int) -> None:
        """One batch after another, each until it is handled or gone."""
        while partition.epoch == epoch:
            size = int(self._world.faults.pick(f"batch of {partition.name}", 1, 5))
            end = min(partition.checkpoint + size, len(partition.events))
            batch = [
                event for event in partition.events[partition.checkpoint : end] if not event.lost
            ]
            if batch:
                await self._until_handled(partition, epoch, batch)
            if partition.epoch != epoch:
                return
            partition.checkpoint = end
            if partition.checkpoint == len(partition.events):
                partition.arrival.clear()
                await partition.arrival.wait()

    async def _until_handled(
        self, partition: Partition, epoch: int, batch: Sequence[HubEvent]
    ) -> None:
        world = self._world
        place = f"{partition.name} {', '.join(event.label for event in batch)}"
        while partition.epoch == epoch:
            if world.faults.strikes("batch delivered twice", place, now=world.now()):
                self._rebalance(partition, after=world.faults.pick(f"rebalance {place}", 0, 15))
            process = world.process(partition.owner)
            delivery = Delivery(
                hub=partition.hub,
                partition=str(partition.index),
                events=[event.delivered for event in batch],
            )
            world.say(f"{process.name} gets [{place}]")
            try:
                await process.run(process.handle(delivery))
            except Crashed:
                if world.faults.strikes("checkpointed past", place, now=world.now()):
                    for event in batch:
                        if event.is_result:
                            world.books.result_lost(event.request_id)
                    return
            except Exception as error:
                world.say(f"{process.name} failed with {type(error).__name__}: the batch is kept")
            else:
                return
            await asyncio.sleep(RETRY_DELAY)

    def _rebalance(self, partition: Partition, *, after: float) -> None:
        """Another process takes the partition from its checkpoint; the old one is not told."""
        epoch = partition.epoch

        def move() -> None:
            if partition.epoch == epoch:
                partition.epoch += 1
                partition.owner += 1
                self._world.say(f"{partition.name} moves to another process")
                self._pump(partition)

        asyncio.get_running_loop().call_later(after, move)
