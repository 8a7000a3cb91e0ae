"""One hub's batches: one at a time per partition, repeated until dealt with, then checkpointed.

As the Functions host with an unlimited retry policy, but for one thing: a batch that is dealt with
while the process stops is checkpointed as well, since its partition is given up only afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from azure.eventhub import EventData

from ptu_optimizer.background import end, ends_this_task
from ptu_optimizer.ports.hubs import Delivery
from ptu_optimizer.requests.dispatch.delivery_progress import FULL_BATCH_EVENTS
from ptu_optimizer.telemetry import logger

from .events import delivery
from .work import UNLIMITED, Feed, Written

_log = logger("consumer")

FROM_START = "-1"
"""Where a partition without a checkpoint begins: what was accepted before the first consumer
started must not be skipped."""

SAME_ERROR_SECONDS = 30.0
"""An error that repeats is logged once in this time: the SDK tries again about every second."""


class Partition(Protocol):
    """The part of the SDK's PartitionContext that is used."""

    partition_id: str

    async def update_checkpoint(self, event: EventData | None = None) -> None:
        """Remember that everything up to `event` is done."""


class Consumer(Protocol):
    """The part of the SDK's EventHubConsumerClient that is used."""

    async def get_partition_ids(self) -> list[str]: ...

    async def receive_batch(
        self,
        on_event_batch: Callable[[Any, list[EventData]], Awaitable[None]],
        *,
        max_batch_size: int,
        max_wait_time: float | None,
        prefetch: int,
        starting_position: str,
        on_error: Callable[[Any, Exception], Awaitable[None]],
        on_partition_initialize: Callable[[Any], Awaitable[None]],
        on_partition_close: Callable[[Any, Any], Awaitable[None]],
    ) -> None:
        """Claim partitions and call back with batches until closed."""

    async def close(self) -> None:
        """Stop and give the partitions up."""


class HubUnreadable(Exception):
    """A hub cannot be asked: it is missing, or we may not."""


class _Ownership:
    """One stretch of time in which this process owns a partition."""

    def __init__(self) -> None:
        self.lost = False


class HubReader:
    """Feeds the batches of one hub to `feed.deal`, and what comes of them to `write`."""

    def __init__(
        self,
        *,
        feed: Feed,
        consumer: Consumer,
        write: Callable[[Written], Awaitable[None]],
        stopping: asyncio.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Once `stopping` is set no batch is begun and none is tried again."""
        self.reading = False
        """Whether the hub has answered and is being read."""
        self._feed = feed
        self._consumer = consumer
        self._write = write
        self._stopping = stopping
        self._monotonic = monotonic
        self._owned: dict[str, _Ownership] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._batches: set[asyncio.Task[None]] = set()
        self._logged: dict[str, float] = {}

    async def run(self) -> None:
        """Read until closed. Raises HubUnreadable if the hub cannot be asked at the start: the SDK
        would look for one that is missing forever, and in silence."""
        try:
            partitions = await self._consumer.get_partition_ids()
        except Exception as error:
            raise HubUnreadable(f"the hub {self._feed.hub} cannot be read: {error}") from error
        _log.info("reading a hub", extra={"hub": self._feed.hub, "partitions": len(partitions)})
        self.reading = True
        while True:
            try:
                await self._receive()
            except asyncio.CancelledError as error:
                if self._stopping.is_set() or ends_this_task(error):
                    raise
                # the SDK's own: nobody has asked this to stop
                _log.warning(
                    "receiving was cancelled, will begin again", extra={"hub": self._feed.hub}
                )
                await self._pause()
            else:
                return

    async def _receive(self) -> None:
        await self._consumer.receive_batch(
            self.on_batch,
            max_batch_size=FULL_BATCH_EVENTS,
            max_wait_time=None,
            prefetch=FULL_BATCH_EVENTS,
            starting_position=FROM_START,
            on_error=self.on_error,
            on_partition_initialize=self.on_partition_initialize,
            on_partition_close=self.on_partition_close,
        )

    async def drain(self, *, seconds: float) -> bool:
        """Wait for the batches under way; those that take longer are cancelled, and come again.
        Whether all of them ended by themselves."""
        if not self._batches:
            return True
        _, late = await asyncio.wait(self._batches, timeout=seconds)
        if late:
            _log.warning("batches are given up", extra={"hub": self._feed.hub, "count": len(late)})
            await asyncio.gather(*(end(task, log=_log) for task in late))
        return not late

    async def close(self) -> None:
        """Give the partitions up. Call `drain` first."""
        await self._consumer.close()

    # --- what the SDK calls ----------------------------------------------------------------------

    async def on_partition_initialize(self, partition: Partition) -> None:
        """This process owns the partition from now on."""
        self._owned[partition.partition_id] = _Ownership()
        _log.info("partition claimed", extra=self._where(partition))

    async def on_partition_close(self, partition: Partition, reason: Any) -> None:
        """This process owns it no more."""
        ownership = self._owned.pop(partition.partition_id, None)
        if ownership is not None:
            ownership.lost = True
        why = getattr(reason, "name", str(reason))
        _log.info("partition given up", extra={**self._where(partition), "reason": why})

    async def on_error(self, partition: Partition | None, error: Exception) -> None:
        """The SDK could not receive or balance; it tries again by itself."""
        text = f"{type(error).__name__}: {error}"
        now = self._monotonic()
        if now - self._logged.get(text, float("-inf")) >= SAME_ERROR_SECONDS:
            self._logged[text] = now
            where = self._where(partition) if partition else {"hub": self._feed.hub}
            _log.warning("cannot receive, will try again", extra={**where, "error": text})

    async def on_batch(self, partition: Partition, events: list[EventData]) -> None:
        """A batch of one partition; returns when the next one may come.

        If the SDK cancels this (the partition went elsewhere) the batch goes on: its calls are paid
        for. It is not checkpointed then, and should the partition come back, its next batch waits.
        """
        ownership = self._owned.get(partition.partition_id)
        if not events or ownership is None:
            return
        task = asyncio.create_task(self._take(partition, ownership, events))
        self._batches.add(task)
        task.add_done_callback(self._batches.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            ownership.lost = True
            if not task.cancelled():
                raise

    # --- a batch ---------------------------------------------------------------------------------

    async def _take(
        self, partition: Partition, ownership: _Ownership, events: list[EventData]
    ) -> None:
        async with self._turns[partition.partition_id]:
            batch = delivery(self._feed.hub, partition.partition_id, events)
            if await self._dealt_with(batch, partition, ownership) and not ownership.lost:
                await self._checkpoint(partition, events[-1])

    async def _dealt_with(
        self, batch: Delivery, partition: Partition, ownership: _Ownership
    ) -> bool:
        """Whether the batch needs no other delivery."""
        tries = 0
        while not self._stopping.is_set() and not ownership.lost:
            try:
                await self._write(await self._feed.deal(batch))
            except (Exception, asyncio.CancelledError) as error:
                if ends_this_task(error):
                    raise
                tries += 1
                given_up = self._feed.retries != UNLIMITED and tries > self._feed.retries
                _log.warning(
                    "a batch is passed by" if given_up else "a batch failed, will try again",
                    extra={
                        **self._where(partition),
                        "events": len(batch.events),
                        "tries": tries,
                        "error": f"{type(error).__name__}: {error}",
                    },
                )
                if given_up:
                    return True
                await self._pause()
            else:
                return True
        return False

    async def _pause(self) -> None:
        """Between two tries; a stop ends it."""
        try:
            await asyncio.wait_for(self._stopping.wait(), self._feed.retry_seconds)
        except TimeoutError:
            return

    async def _checkpoint(self, partition: Partition, last: EventData) -> None:
        try:
            await partition.update_checkpoint(last)
        except (Exception, asyncio.CancelledError) as error:
            if ends_this_task(error):
                raise
            # the events are done; at worst they come again after a restart
            _log.warning(
                "cannot write the checkpoint",
                extra={**self._where(partition), "error": f"{type(error).__name__}: {error}"},
            )

    def _where(self, partition: Partition) -> dict[str, str]:
        return {"hub": self._feed.hub, "partition": partition.partition_id}
