"""The triggers that are not HTTP: builds their listeners, starts them, drains them, reports them.

A module of its own because it brings the Azure SDKs along, which an app with HTTP functions alone
does not need to wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
from azure.storage.blob.aio import BlobServiceClient

from local.host.bindings import EventHubTrigger, FunctionDefinition, TimerTrigger
from local.host.connections import (
    STORAGE,
    checkpoint_store,
    consumer_client,
    storage_client,
    transport,
)
from local.host.errors import RefusedError
from local.host.event_hub_listener import CHECKPOINT_CONTAINER, EventHubListener
from local.host.host_json import EventHubsOptions
from local.host.invoker import Invoker, Outcome, TriggerInput
from local.host.leases import HOSTS_CONTAINER, BlobLease, keeper
from local.host.options import HostOptions
from local.host.settings import AppSettings
from local.host.timers import BlobMonitor, SystemClock, TimerListener
from ptu_optimizer.background import Background


class Listeners:
    """All Event Hub and timer triggers of an app."""

    def __init__(
        self,
        *,
        options: HostOptions,
        event_hubs: EventHubsOptions,
        settings: AppSettings,
        host_id: str,
        invoker: Invoker,
    ) -> None:
        self._options = options
        self._event_hubs = event_hubs
        self._settings = settings
        self._host_id = host_id
        self._invoker = invoker
        self._storage: BlobServiceClient | None = None
        self._hubs: list[EventHubListener] = []
        self._timers: list[TimerListener] = []
        self._leases: list[BlobLease] = []
        self._stores: list[BlobCheckpointStore] = []
        self._loops: list[Background] = []

    async def prepare(self, functions: Iterable[FunctionDefinition]) -> None:
        """Build a listener for each function; a connection that is missing stops the start."""
        for function in functions:
            if isinstance(function.trigger, EventHubTrigger):
                self._hubs.append(await self._hub(function, function.trigger))
            elif isinstance(function.trigger, TimerTrigger):
                self._timers.append(await self._timer(function, function.trigger))

    def start(self) -> None:
        """Begin to take events and to fire timers."""
        for hub in self._hubs:
            hub.start()
        self._loops += [timer.loop() for timer in self._timers]
        self._loops += [keeper(lease) for lease in self._leases]
        for loop in self._loops:
            loop.start()

    def quiesce(self) -> None:
        """Take nothing new, and checkpoint nothing from now on."""
        for hub in self._hubs:
            hub.quiesce()
        for timer in self._timers:
            timer.quiesce()

    async def idle(self) -> None:
        """Return once the running batches have ended."""
        for hub in self._hubs:
            await hub.idle()

    async def close(self) -> None:
        """Give partitions and timer locks up, so that other hosts need not wait for them."""
        await asyncio.gather(*(loop.stop() for loop in self._loops))
        await asyncio.gather(
            *(hub.close() for hub in self._hubs),
            *(lease.release() for lease in self._leases),
            return_exceptions=True,
        )
        for store in self._stores:
            await store.close()
        if self._storage is not None:
            await self._storage.close()

    def partitions(self) -> dict[str, list[str]]:
        """The partitions owned now, by function."""
        return {hub.function: hub.partitions for hub in self._hubs}

    def timers(self) -> list[str]:
        """The timers that this host fires now."""
        return [timer.function for timer in self._timers if timer.held]

    async def _hub(
        self, function: FunctionDefinition, trigger: EventHubTrigger
    ) -> EventHubListener:
        await self._container(CHECKPOINT_CONTAINER)
        store = checkpoint_store(self._settings, CHECKPOINT_CONTAINER)
        self._stores.append(store)
        consumer = consumer_client(
            trigger,
            self._settings,
            checkpoint_store=store,
            load_balancing_interval=self._options.balance_seconds,
            partition_ownership_expiration_interval=self._options.ownership_expiry_seconds,
            transport_type=transport(self._event_hubs.websockets),
        )

        async def invoke(data: TriggerInput, abandoned: asyncio.Event) -> Outcome:
            return await self._invoker.run(function, data, abandoned=abandoned)

        return EventHubListener(
            function=function.name,
            trigger=trigger,
            options=self._event_hubs,
            consumer=consumer,
            invoke=invoke,
        )

    async def _timer(self, function: FunctionDefinition, trigger: TimerTrigger) -> TimerListener:
        storage = await self._container(HOSTS_CONTAINER)
        name = f"locks/{self._host_id}/Host.Functions.{function.name}.Listener"
        lease = BlobLease(storage, name)
        self._leases.append(lease)
        never = asyncio.Event()

        async def invoke(data: TriggerInput) -> Outcome:
            return await self._invoker.run(function, data, abandoned=never)

        return TimerListener(
            function=function.name,
            trigger=trigger,
            lock=lease,
            monitor=BlobMonitor(storage, host_id=self._host_id, function=function.name),
            invoke=invoke,
            clock=SystemClock(),
        )

    async def _container(self, name: str) -> BlobServiceClient:
        if self._storage is None:
            self._storage = storage_client(self._settings)
        try:
            await self._storage.create_container(name)
        except ResourceExistsError:
            pass
        except (AzureError, OSError) as error:
            raise RefusedError(
                f"the storage account of the app setting {STORAGE} does not answer: {error}"
            ) from error
        return self._storage
