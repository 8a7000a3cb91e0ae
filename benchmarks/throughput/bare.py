"""The bare SDKs: what the same work costs without queue, ledger and admission."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient
from openai import AsyncAzureOpenAI

from benchmarks.throughput.bodies import Body
from benchmarks.throughput.side_by_side import at_once
from local.system import LocalSystem
from local.system.settings import OPENAI_KEY
from ptu_optimizer.ports.hubs import REQUESTS

API_VERSION = "2024-10-21"


@contextlib.asynccontextmanager
async def open_producer(system: LocalSystem) -> AsyncIterator[EventHubProducerClient]:
    """The SDK's producer for the hub that `POST /producer` fills."""
    async with EventHubProducerClient.from_connection_string(
        system.settings["EVENT_HUBS"], eventhub_name=REQUESTS
    ) as producer:
        yield producer


async def publish(producer: EventHubProducerClient, encoded: Sequence[bytes]) -> None:
    """The bodies as events, in as few batches as the hub's largest message allows."""
    batch = await producer.create_batch()
    for body in encoded:
        try:
            batch.add(EventData(body))
        except ValueError:  # the batch is full
            await producer.send_batch(batch)
            batch = await producer.create_batch()
            batch.add(EventData(body))
    await producer.send_batch(batch)


@contextlib.asynccontextmanager
async def open_openai(system: LocalSystem) -> AsyncIterator[AsyncAzureOpenAI]:
    """The SDK's client as it comes, without its retries."""
    async with AsyncAzureOpenAI(
        azure_endpoint=system.ptu_url,
        api_key=OPENAI_KEY,
        api_version=API_VERSION,
        max_retries=0,
    ) as client:
        yield client


async def call_all(
    client: AsyncAzureOpenAI, bodies: Sequence[Body], *, deployment: str, concurrency: int
) -> None:
    """One call a body, `concurrency` at a time."""

    async def call(body: Body) -> None:
        await client.chat.completions.create(model=deployment, **body)

    await at_once(call, bodies, concurrency=concurrency)
