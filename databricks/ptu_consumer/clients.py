"""The clients that a consumer needs on top of the app's own, from the same settings."""

from __future__ import annotations

from typing import Any

from azure.eventhub.aio import EventHubConsumerClient
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
from azure.storage.blob.aio import ContainerClient

from ptu_optimizer.adapters.identity import Identity
from ptu_optimizer.settings.settings import Settings

CONSUMER_GROUP = "$Default"

CHECKPOINT_CONTAINER = "azure-webjobs-eventhub"
"""The Functions host's own. Names and metadata of its blobs are those of every current Azure SDK:
whoever reads the hubs next, here or there, goes on where the last one stopped."""

BALANCE_SECONDS = 10.0
"""How often ownership is renewed; a partition of a silent owner moves after six times that."""

STORAGE_RETRIES: dict[str, Any] = {"retry_total": 3, "initial_backoff": 0.2, "increment_base": 2}
"""The SDK's defaults wait 15 s before the first retry: longer than ownership is renewed."""


class Clients:
    """Consumers of the namespace, and their store of checkpoints."""

    def __init__(
        self, settings: Settings, *, identity: Identity, balance_seconds: float = BALANCE_SECONDS
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._balance_seconds = balance_seconds
        self._stores: list[BlobCheckpointStore] = []

    async def prepare(self) -> None:
        """Make the checkpoints' container, as the Functions host does at its start."""
        async with self._container() as container:
            if not await container.exists():
                await container.create_container()

    def consumer(self, hub: str) -> EventHubConsumerClient:
        """A consumer of one hub, with a checkpoint store of its own."""
        options: dict[str, Any] = {
            "checkpoint_store": self._store(),
            "load_balancing_interval": self._balance_seconds,
            "partition_ownership_expiration_interval": 6 * self._balance_seconds,
        }
        if self._settings.event_hubs is not None:
            return EventHubConsumerClient.from_connection_string(
                self._settings.event_hubs.get_secret_value(),
                CONSUMER_GROUP,
                eventhub_name=hub,
                **options,
            )
        return EventHubConsumerClient(
            self._settings.event_hubs_namespace or "",
            hub,
            CONSUMER_GROUP,
            self._identity.credential,
            **options,
        )

    async def close(self) -> None:
        """Close the stores; consumers are closed by their readers."""
        for store in self._stores:
            await store.close()

    def _store(self) -> BlobCheckpointStore:
        if self._settings.storage is not None:
            store = BlobCheckpointStore.from_connection_string(
                self._settings.storage.get_secret_value(), CHECKPOINT_CONTAINER, **STORAGE_RETRIES
            )
        else:
            store = BlobCheckpointStore(
                self._settings.storage_blob_uri or "",
                CHECKPOINT_CONTAINER,
                credential=self._identity.credential,
                **STORAGE_RETRIES,
            )
        self._stores.append(store)
        return store

    def _container(self) -> ContainerClient:
        if self._settings.storage is not None:
            return ContainerClient.from_connection_string(
                self._settings.storage.get_secret_value(), CHECKPOINT_CONTAINER, **STORAGE_RETRIES
            )
        return ContainerClient(
            self._settings.storage_blob_uri or "",
            CHECKPOINT_CONTAINER,
            credential=self._identity.credential,
            **STORAGE_RETRIES,
        )
