"""Hand-written stand-ins for what the host's parts talk to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from azure.eventhub import EventData
from azure.eventhub._pyamqp.message import Message, Properties

from local.host.invoker import Outcome, TriggerInput

ENQUEUED = datetime(2026, 1, 31, 8, 0, 0, 123_000, tzinfo=UTC)


def received(
    number: int,
    body: bytes = b"{}",
    *,
    key: bytes | None = None,
    properties: dict[Any, Any] | None = None,
    message_id: str | None = None,
) -> EventData:
    """An event as the SDK hands it over after receiving it."""
    annotations: dict[str | bytes, Any] = {
        b"x-opt-sequence-number": number,
        b"x-opt-offset": str(number * 100).encode(),
        b"x-opt-enqueued-time": int(ENQUEUED.timestamp() * 1000),
    }
    if key is not None:
        annotations[b"x-opt-partition-key"] = key
    message = Message(
        data=[body],
        message_annotations=annotations,
        application_properties=properties or {},
        properties=Properties(message_id=message_id) if message_id else None,
    )
    return EventData._from_message(message)


class FakePartition:
    """A partition context that remembers its checkpoints."""

    fully_qualified_namespace = "127.0.0.1:5672"
    eventhub_name = "requests"
    consumer_group = "$Default"

    def __init__(self, partition_id: str = "0") -> None:
        self.partition_id = partition_id
        self.checkpoints: list[int | None] = []
        self.failing = False

    async def update_checkpoint(self, event: EventData | None = None) -> None:
        if self.failing:
            raise OSError("storage is away")
        assert event is not None
        self.checkpoints.append(event.sequence_number)


class FakeConsumer:
    """A consumer client that only waits to be closed."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.closed = asyncio.Event()

    async def receive_batch(self, on_event_batch: Any, **options: Any) -> None:
        self.options = options
        await self.closed.wait()

    async def close(self) -> None:
        self.closed.set()


class FakeFunction:
    """A function whose invocations a test ends one by one, or that runs through."""

    def __init__(self, *, through: bool = True, succeeds: bool = True) -> None:
        self.inputs: list[TriggerInput] = []
        self.running = 0
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.succeeds = succeeds
        self.during: Callable[[], Awaitable[None]] | None = None
        if through:
            self.gate.set()

    async def invoke(self, data: TriggerInput, abandoned: asyncio.Event | None = None) -> Outcome:
        self.inputs.append(data)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        if self.during is not None:
            await self.during()
        await self.gate.wait()
        self.running -= 1
        return Outcome(self.succeeds, "" if self.succeeds else "ValueError")
