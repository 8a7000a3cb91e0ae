"""The app without its host, in the test's own process: every use case on the real SDKs over real
sockets, against servers whose faults a test can choose operation by operation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.eventhub.aio import EventHubConsumerClient

from local.cosmos import CosmosServer
from local.event_hubs import EventHubsServer
from local.ptu import PtuServer, PtuServerConfig
from local.system import Options, Ports
from local.system.settings import OPENAI_KEY, REQUEST_ID_KEY, app_settings
from ptu_optimizer.adapters.event_hubs import EventHubs
from ptu_optimizer.adapters.identity import Identity
from ptu_optimizer.composition.application import Application
from ptu_optimizer.ports.hubs import REQUESTS, DeliveredEvent, Delivery
from ptu_optimizer.requests.dispatch.invocation import Report
from ptu_optimizer.requests.envelope import RequestEvent, first_event
from ptu_optimizer.requests.ids import IdMint, slice_of_request
from ptu_optimizer.requests.item import Item
from ptu_optimizer.requests.ledger.slots import SlotKind, is_slot
from ptu_optimizer.services import AzureServices
from ptu_optimizer.settings.settings import Settings, load_settings
from tests.end_to_end.clients import chat
from tests.support.cosmos_account import app_account, container

HUBS = {"requests": 1, "requests-soon": 1, "requests-later": 1}
DEPLOYMENT = "gpt-4.1"
DEPLOYMENTS: Sequence[Mapping[str, Any]] = [
    {"name": DEPLOYMENT, "model": DEPLOYMENT, "ptus": 100_000}
]
"""What the simulated resource has."""


@dataclass
class Bench:
    """Servers in this process, and as many applications on them as a test wants workers."""

    cosmos: CosmosServer
    hubs: EventHubsServer
    ptu: PtuServer
    storage: str
    """The connection string of the storage account."""
    environment: Mapping[str, str]
    """The app settings, as a process is given them."""
    settings: Settings
    _applications: list[Application] = field(default_factory=list)

    def worker(self) -> Application:
        """One more worker process, as far as the app can tell."""
        application = Application(self.settings)
        self._applications.append(application)
        return application

    @staticmethod
    def batch(count: int) -> list[RequestEvent]:
        """Events of a group of `count`, as intake publishes them."""
        now = time.time()
        mint = IdMint(REQUEST_ID_KEY.encode())
        group = mint.mint(created_at=now, ends_at=now + 3_600, count=count)
        return [
            first_event(
                group.request_id(n),
                Item(body=chat(f"question {n}"), deployment=DEPLOYMENT, deadline=now + 600),
                inline=True,
            )
            for n in range(count)
        ]

    @staticmethod
    async def deliver(
        worker: Application, payloads: Sequence[bytes], *, hub: str = REQUESTS
    ) -> Report:
        """A batch, as the trigger would hand it over."""
        events = [
            DeliveredEvent(raw=raw, sequence_number=number, enqueued_at=time.time())
            for number, raw in enumerate(payloads)
        ]
        return await worker.dispatcher.dispatch(Delivery(hub=hub, partition="0", events=events))

    async def published_count(self, hub: str) -> int:
        """How many events a hub has taken."""
        reader = EventHubs(
            connection_string=self.hubs.connection_string,
            namespace=None,
            identity=Identity(client_id=None),
        )
        (state,) = await reader.partitions(hub)
        await reader.close()
        return state.last_sequence_number + 1

    async def published(self, hub: str, count: int) -> list[bytes]:
        """Everything on a hub, once `count` events are there."""
        found: list[bytes] = []
        done = asyncio.Event()

        async def take(_: object, events: list[Any]) -> None:
            found.extend(b"".join(event.body) for event in events)
            if len(found) >= count:
                done.set()

        async with EventHubConsumerClient.from_connection_string(
            self.hubs.connection_string, "$Default", eventhub_name=hub, load_balancing_interval=0.1
        ) as consumer:
            reading = asyncio.create_task(
                consumer.receive_batch(
                    take, partition_id="0", starting_position="-1", max_wait_time=0.1
                )
            )
            try:
                await asyncio.wait_for(done.wait(), 30)
            finally:
                reading.cancel()
        return found

    async def records(self, request_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Everything that the ledger holds of these requests."""
        async with container(self.cosmos, "requests") as proxy:
            return [
                dict(item)
                for partition in {slice_of_request(request_id) for request_id in request_ids}
                async for item in proxy.query_items("SELECT * FROM c", partition_key=partition)
                if item.get("request_id") in request_ids
            ]

    async def outcomes(self, request_ids: Sequence[str]) -> list[str]:
        """The kinds of all outcomes in the ledger."""
        records = filter(is_slot, await self.records(request_ids))
        return [each["kind"] for each in records if SlotKind(each["kind"]).is_outcome]

    @property
    def paid(self) -> tuple[int, int]:
        """Calls that the PTU served, and those of them for requests that it had served before."""
        counters: Any = self.ptu.simulation.counters()["total"]
        return counters["served"], counters["surplus"]

    async def close(self) -> None:
        for application in self._applications:
            services = application._services
            assert isinstance(services, AzureServices)
            await services.close()


@asynccontextmanager
async def bench(
    storage: str,
    *,
    deployments: Sequence[Mapping[str, Any]] = DEPLOYMENTS,
    hubs: Mapping[str, int] = HUBS,
    **settings: str,
) -> AsyncIterator[Bench]:
    """Servers in memory; short times, so that what is given up is given up soon."""
    config = PtuServerConfig.from_dict(
        {"deployments": [dict(each) for each in deployments], "api_keys": [OPENAI_KEY]}
    )
    async with (
        app_account() as cosmos,
        EventHubsServer(hubs=hubs) as event_hubs,
        PtuServer(config, port=0) as ptu,
    ):
        values = app_settings(
            Options(
                ports=Ports(event_hubs=event_hubs.port, cosmos=cosmos.port, ptu=ptu.port),
                settings={
                    "AzureWebJobsStorage": storage,
                    "CALL_LIMIT_SECONDS": "4",
                    "WRITE_BUDGET_SECONDS": "2",
                    "SKEW_SECONDS": "0.5",
                    "HOLD_SECONDS": "1",
                    "INVOCATION_BUDGET_SECONDS": "10",
                    **settings,
                },
            )
        )
        with pytest.MonkeyPatch.context() as environment:
            for name, value in values.items():
                environment.setenv(name, value)
            loaded = load_settings()
        made = Bench(cosmos, event_hubs, ptu, storage, values, loaded)
        try:
            yield made
        finally:
            await made.close()
