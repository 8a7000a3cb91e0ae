"""How a gateway in Python tells the optimizer of its interactive calls: copy this file.

    producer = EventHubProducerClient.from_connection_string(CONNECTION, eventhub_name="usage")
    async with UsageSender(producer) as usage:
        call = usage.started(deployment="gpt-4.1", prompt_tokens=812, max_tokens=400)
        try:
            answer = await client.chat.completions.create(...)
        except APIStatusError as error:
            call.finished(status=error.status_code)
        else:
            call.finished(
                prompt_tokens=answer.usage.prompt_tokens,
                cached_tokens=answer.usage.prompt_tokens_details.cached_tokens,
                completion_tokens=answer.usage.completion_tokens,
            )

It needs azure-eventhub and nothing of this repository. docs/usage-events.md says what each field
means.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient
from azure.eventhub.exceptions import EventHubError

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.25
"""Events leave together after this time: one message is one write to the store, in the end."""

EVENTS_PER_MESSAGE = 500
"""About 150 kB, below the limit of every tier."""

MAX_WAITING = 10_000
"""What waits while the hub is away; the oldest are lost first, being worth least."""

LEAVE_SECONDS = 5.0
"""What could not be sent by then is lost; a gateway that stops does not wait for a hub."""


class UsageSender:
    """Collects events and sends them in the background. Nobody waits for it, and a hub that is away
    costs events and nothing else."""

    def __init__(self, producer: EventHubProducerClient) -> None:
        """`producer` is closed when this is left."""
        self._producer = producer
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MAX_WAITING)
        # all events of this sender lie in one partition: the end of a call meets its start there
        self._key = uuid.uuid4().hex
        self._leaving = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.sent = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leaving.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, LEAVE_SECONDS)
        await self._producer.close()

    def started(
        self,
        *,
        deployment: str,
        prompt_tokens: int,
        max_tokens: int | None = None,
        tenant: str | None = None,
    ) -> Call:
        """Say, before it is sent, that a call goes to the deployment."""
        call = Call(self, uuid.uuid4().hex, deployment, prompt_tokens, max_tokens, tenant)
        self.send({"kind": "started", **call.fields()})
        return call

    def send(self, event: dict[str, Any]) -> None:
        """Let an event leave with the next message; its time is now."""
        self._waiting.append(event | {"at": time.time()})

    async def _run(self) -> None:
        leaving = False
        while not leaving:
            with contextlib.suppress(TimeoutError):
                leaving = await asyncio.wait_for(self._leaving.wait(), INTERVAL_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        while self._waiting:
            events = [
                self._waiting.popleft() for _ in range(min(len(self._waiting), EVENTS_PER_MESSAGE))
            ]
            message = EventData(json.dumps(events))
            try:
                await self._producer.send_batch([message], partition_key=self._key)
                self.sent += len(events)
            except (EventHubError, OSError) as error:
                # not sent again: it may have arrived, and would count twice
                log.warning("%d usage events were lost: %s", len(events), error)


@dataclass(frozen=True, slots=True)
class Call:
    """One call under way: its end says what its start said, so that the two can be matched."""

    _sender: UsageSender
    id: str
    deployment: str
    prompt_tokens: int
    max_tokens: int | None
    tenant: str | None

    def finished(
        self,
        *,
        status: int = 200,
        prompt_tokens: int | None = None,
        cached_tokens: int = 0,
        completion_tokens: int = 0,
        estimated: bool = False,
    ) -> None:
        """Say, once, how it ended. A call without any answer has a status of 500 or above."""
        event = {
            "kind": "finished",
            **self.fields(),
            "status": status,
            "cached_tokens": cached_tokens,
            "completion_tokens": completion_tokens,
            "estimated": estimated,
        }
        if prompt_tokens is not None:
            event["prompt_tokens"] = prompt_tokens
        self._sender.send(event)

    def fields(self) -> dict[str, Any]:
        """What both events of a call have in common."""
        return {
            "id": self.id,
            "deployment": self.deployment,
            "tenant": self.tenant,
            "prompt_tokens": self.prompt_tokens,
            "max_tokens": self.max_tokens,
        }
