"""An Event Hub trigger: one consumer, one batch at a time per partition, checkpoints.

Follows EHX `Listeners/EventHubListener.PartitionProcessor.cs`: a batch is checkpointed when its
function has ended, also when it failed for good, but never while the host stops nor after the
partition went to another host.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from azure.eventhub import EventData

from local.host.bindings import EventHubTrigger
from local.host.event_data import batch_input, single_input
from local.host.host_json import EventHubsOptions
from local.host.invoker import Outcome, TriggerInput
from ptu_optimizer.background import Background, end, ends_this_task

log = logging.getLogger("host.event_hubs")

CHECKPOINT_CONTAINER = "azure-webjobs-eventhub"
"""Where the extension keeps ownership and checkpoints."""

_SAME_ERROR_SECONDS = 30.0
"""An error that repeats is logged once in this time; the SDK retries about every second."""

AGAIN_SECONDS = 1.0
"""Before receiving begins again, if the SDK ends it although nobody has closed the client."""

CLOSE_SECONDS = 10.0
"""How long the SDK may take to give the partitions up."""

Invoke = Callable[[TriggerInput, asyncio.Event], Awaitable[Outcome]]


class Partition(Protocol):
    """The part of the SDK's PartitionContext that is used."""

    fully_qualified_namespace: str
    eventhub_name: str
    consumer_group: str
    partition_id: str

    async def update_checkpoint(self, event: EventData | None = None) -> None:
        """Remember that everything up to `event` is done."""


class Consumer(Protocol):
    """The part of the SDK's EventHubConsumerClient that is used."""

    async def receive_batch(
        self,
        on_event_batch: Callable[[Partition, list[EventData]], Awaitable[None]],
        *,
        max_batch_size: int,
        max_wait_time: float | None,
        prefetch: int,
        starting_position: str | datetime,
        on_error: Callable[[Partition, Exception], Awaitable[None]],
        on_partition_initialize: Callable[[Partition], Awaitable[None]],
        on_partition_close: Callable[[Partition, Any], Awaitable[None]],
    ) -> None:
        """Claim partitions and call back with batches until closed."""

    async def close(self) -> None:
        """Stop and give the partitions up."""


class _Ownership:
    """One stretch of time in which this host owns a partition."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.waiting: list[EventData] = []
        self.waiting_since = 0.0
        self.batches = 0


class EventHubListener:
    """Feeds one function from one hub."""

    def __init__(
        self,
        *,
        function: str,
        trigger: EventHubTrigger,
        options: EventHubsOptions,
        consumer: Consumer,
        invoke: Invoke,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.function = function
        self.trigger = trigger
        self._options = options
        self._consumer = consumer
        self._invoke = invoke
        self._monotonic = monotonic
        self._owned: dict[str, _Ownership] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._stopping = False
        self._batches: set[asyncio.Task[None]] = set()
        self._errors: dict[str, float] = {}
        self._receiving = Background(
            self._receive,
            interval=AGAIN_SECONDS,
            log=log,
            failed="receiving ended unexpectedly, will begin again",
        )

    @property
    def partitions(self) -> list[str]:
        """The partitions this host owns now."""
        return sorted(self._owned, key=lambda text: (len(text), text))

    def start(self) -> None:
        """Begin to claim partitions."""
        self._receiving.start()

    async def _receive(self) -> None:
        await self._consumer.receive_batch(
            self.on_batch,
            max_batch_size=self._options.max_batch,
            max_wait_time=self._options.max_wait_seconds if self._options.min_batch > 1 else None,
            prefetch=self._options.prefetch,
            starting_position=_starting_position(self._options),
            on_error=self.on_error,
            on_partition_initialize=self.on_partition_initialize,
            on_partition_close=self.on_partition_close,
        )

    def quiesce(self) -> None:
        """Start no further batches and write no further checkpoints; keep the partitions."""
        self._stopping = True

    async def idle(self) -> None:
        """Return once the running batches have ended."""
        if self._batches:
            await asyncio.wait(self._batches)

    async def close(self) -> None:
        """Give up the partitions; batches that still run will not be checkpointed."""
        self._stopping = True
        for ownership in self._owned.values():
            ownership.lost.set()
        # the client ends its receiving when it is closed; nothing may begin it again then
        closing = asyncio.create_task(self._consumer.close())
        await asyncio.gather(
            self._receiving.stop(grace=CLOSE_SECONDS), end(closing, log=log, grace=CLOSE_SECONDS)
        )

    async def on_partition_initialize(self, partition: Partition) -> None:
        """This host owns the partition from now on."""
        self._owned[partition.partition_id] = _Ownership()
        log.info("partition claimed", extra=self._where(partition))

    async def on_partition_close(self, partition: Partition, reason: Any) -> None:
        """This host owns it no more."""
        ownership = self._owned.pop(partition.partition_id, None)
        if ownership is not None:
            ownership.lost.set()
        why = getattr(reason, "name", str(reason))
        log.info("partition released", extra={**self._where(partition), "reason": why})

    async def on_error(self, partition: Partition | None, error: Exception) -> None:
        """The SDK could not receive or balance; it tries again by itself."""
        text = f"{type(error).__name__}: {error}"
        now = self._monotonic()
        if now - self._errors.get(text, -_SAME_ERROR_SECONDS) >= _SAME_ERROR_SECONDS:
            self._errors[text] = now
            where = self._where(partition) if partition else {"hub": self.trigger.hub}
            log.warning("cannot receive, will try again", extra={**where, "error": text})

    async def on_batch(self, partition: Partition, events: list[EventData]) -> None:
        """A batch of one partition; returns when the next one may come.

        If the SDK cancels this (ownership lost) the running function goes on, as it does in Azure,
        and the partition's next batch waits for it.
        """
        ownership = self._owned.get(partition.partition_id)
        if ownership is None:
            return
        task = asyncio.create_task(self._process(partition, ownership, events))
        self._batches.add(task)
        task.add_done_callback(self._batches.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            ownership.lost.set()
            raise

    async def _process(
        self, partition: Partition, ownership: _Ownership, events: list[EventData]
    ) -> None:
        async with self._turns[partition.partition_id]:
            batch = self._gather(ownership, events)
            while batch and not self._stopping and not ownership.lost.is_set():
                last = await self._dispatch(partition, ownership, batch)
                if last is not None:
                    await self._checkpoint(partition, ownership, last)
                batch = self._gather(ownership, [])

    def _gather(self, ownership: _Ownership, events: list[EventData]) -> list[EventData]:
        """What to run now: everything with `minEventBatchSize` 1, else once it is enough or old."""
        waiting = ownership.waiting
        if events and not waiting:
            ownership.waiting_since = self._monotonic()
        waiting += events
        waited = self._monotonic() - ownership.waiting_since
        if not waiting or (
            len(waiting) < self._options.min_batch and waited < self._options.max_wait_seconds
        ):
            return []
        batch = waiting[: self._options.max_batch]
        del waiting[: self._options.max_batch]
        ownership.waiting_since = self._monotonic()
        return batch

    async def _dispatch(
        self, partition: Partition, ownership: _Ownership, batch: Sequence[EventData]
    ) -> EventData | None:
        """Run the function; the last event that it has seen."""
        context = {
            "FullyQualifiedNamespace": partition.fully_qualified_namespace,
            "EventHubName": partition.eventhub_name,
            "ConsumerGroup": partition.consumer_group,
            "PartitionId": partition.partition_id,
        }
        if self.trigger.many:
            data = batch_input(self.function, self.trigger, batch, context)
            await self._invoke(data, ownership.lost)
            return batch[-1]
        last = None
        for event in batch:
            if self._stopping or ownership.lost.is_set():
                break
            data = single_input(self.function, self.trigger, event, context)
            await self._invoke(data, ownership.lost)
            last = event
        return last

    async def _checkpoint(
        self, partition: Partition, ownership: _Ownership, last: EventData
    ) -> None:
        if self._stopping or ownership.lost.is_set():
            return
        ownership.batches += 1
        if ownership.batches % self._options.checkpoint_every:
            return
        try:
            await partition.update_checkpoint(last)
        except (Exception, asyncio.CancelledError) as error:
            if ends_this_task(error):
                raise
            # The events are done; at worst they come again after a restart.
            log.warning(
                "cannot write the checkpoint", extra={**self._where(partition), "error": error}
            )

    def _where(self, partition: Partition) -> dict[str, str]:
        return {
            "function": self.function,
            "hub": self.trigger.hub,
            "partition": partition.partition_id,
        }


def _starting_position(options: EventHubsOptions) -> str | datetime:
    """Where a partition without a checkpoint begins."""
    if options.initial_time is not None:
        return options.initial_time
    return "@latest" if options.initial_offset == "fromEnd" else "-1"
