"""The services that the app stands on: each client is built once per process, at its first use.

The only module that imports `adapters`. `Services` is what the application needs of them, so that
the same application also runs on others than Azure's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol
from urllib.request import getproxies_environment

from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr

from ptu_optimizer.access.bearer import TokenVerifier
from ptu_optimizer.adapters.backend_http import HttpBackendCalls
from ptu_optimizer.adapters.blobs import AzureBlobStore, blob_client
from ptu_optimizer.adapters.cosmos import (
    CosmosCapacityStore,
    CosmosGroupStore,
    CosmosLedgerStore,
    cosmos_client,
)
from ptu_optimizer.adapters.event_hubs import EventHubs
from ptu_optimizer.adapters.identity import OPENAI_SCOPE, V1_SCOPE, ApiKey, EntraToken, Identity
from ptu_optimizer.backends.backend import Backend, BackendKind, Resource
from ptu_optimizer.backends.calls_by_name import CallsByName
from ptu_optimizer.backends.chat_completions import V1, ChatCompletions
from ptu_optimizer.backends.tokens import TokenEstimator
from ptu_optimizer.ports.backend_calls import Authorization
from ptu_optimizer.ports.hubs import HubReader, Publisher
from ptu_optimizer.ports.id_keys import KeyReader
from ptu_optimizer.ports.model_calls import ModelCaller
from ptu_optimizer.ports.monitor import Monitor
from ptu_optimizer.ports.stores import BlobStore, CapacityStore, GroupStore, LedgerStore

from .clock import Clock, SystemClock

if TYPE_CHECKING:
    from ptu_optimizer.adapters.key_vault import KeyVaultKeys
    from ptu_optimizer.adapters.monitored_resources import MonitoredResources


class Hubs(Publisher, HubReader, Protocol):
    async def ping(self, hub: str) -> None:
        """Raises DependencyUnavailable."""
        ...


class Groups(GroupStore, Protocol):
    async def ping(self) -> None:
        """Raises DependencyUnavailable."""
        ...


class Blobs(BlobStore, Protocol):
    async def ping(self) -> None:
        """Raises DependencyUnavailable."""
        ...


class Services(Protocol):
    """What `composition.Application` needs from the outside."""

    @property
    def hubs(self) -> Hubs: ...

    @property
    def groups(self) -> Groups: ...

    @property
    def ledger(self) -> LedgerStore: ...

    @property
    def capacity(self) -> CapacityStore: ...

    @property
    def blobs(self) -> Blobs: ...

    @property
    def monitor(self) -> Monitor: ...

    @property
    def caller(self) -> ModelCaller: ...

    @property
    def estimator(self) -> TokenEstimator: ...

    @property
    def id_keys(self) -> KeyReader: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where the services are and how to get in; of each pair, the first one that is there."""

    event_hubs: SecretStr | None
    event_hubs_namespace: str | None
    cosmos: SecretStr | None
    cosmos_endpoint: str | None
    cosmos_database: str
    storage: SecretStr | None
    storage_blob_uri: str | None
    backends: tuple[Backend, ...]
    calls_at_a_time: int
    """Most calls to one backend."""
    request_id_key_uri: str | None
    client_id: str | None
    """Of the user-assigned identity, for whatever has no key."""


class AzureServices:
    """Azure's, or what speaks the same protocols."""

    def __init__(self, places: Places) -> None:
        self._places = places

    @cached_property
    def hubs(self) -> EventHubs:
        return EventHubs(
            connection_string=_secret(self._places.event_hubs),
            namespace=self._places.event_hubs_namespace,
            identity=self.identity,
        )

    @cached_property
    def groups(self) -> CosmosGroupStore:
        return CosmosGroupStore(self.container("groups"))

    @cached_property
    def ledger(self) -> CosmosLedgerStore:
        return CosmosLedgerStore(self.container("requests"))

    @cached_property
    def capacity(self) -> CosmosCapacityStore:
        return CosmosCapacityStore(self.container("capacity"))

    @cached_property
    def blobs(self) -> AzureBlobStore:
        return AzureBlobStore(self._blob_client)

    @cached_property
    def monitor(self) -> MonitoredResources:
        from ptu_optimizer.adapters.azure_monitor import AzureMonitor
        from ptu_optimizer.adapters.monitored_resources import MonitoredResources

        return MonitoredResources(
            [one for one in self._places.backends if one.kind is BackendKind.PROVISIONED],
            monitor_of=lambda resource, deployments: AzureMonitor(
                endpoint=resource.monitor_endpoint or "",
                resource_id=resource.resource_id or "",
                deployments=deployments,
                identity=self.identity,
                clock=SystemClock(),
            ),
        )

    @cached_property
    def caller(self) -> ModelCaller:
        return CallsByName(self._places.backends, caller_of=self._caller_of)

    @cached_property
    def backend_calls(self) -> HttpBackendCalls:
        """To any backend, for any operation."""
        return HttpBackendCalls(
            connections=self._places.calls_at_a_time * len(self._places.backends),
            # not settings of this app: whatever runs in this process goes by them
            proxies=getproxies_environment(),
        )

    @cached_property
    def estimator(self) -> TokenEstimator:
        return TokenEstimator()

    @cached_property
    def id_keys(self) -> KeyVaultKeys:
        # not loaded where the key stands in a setting
        from ptu_optimizer.adapters.key_vault import KeyVaultKeys

        return KeyVaultKeys(uri=self._places.request_id_key_uri or "", identity=self.identity)

    @cached_property
    def identity(self) -> Identity:
        """For whatever has no key."""
        return Identity(client_id=self._places.client_id)

    def container(self, name: str) -> ContainerProxy:
        """One of the app's containers: for a host of its own, which writes what the Functions
        host would by output bindings."""
        database = self._cosmos.get_database_client(self._places.cosmos_database)
        return database.get_container_client(name)

    async def close(self) -> None:
        """Close the clients. A client that was never used was never built."""
        await self._cosmos.close()
        await self.hubs.close()
        await self._blob_client.close()
        await self.backend_calls.close()
        if "monitor" in vars(self):  # not to load it just for this
            await self.monitor.close()
        if "id_keys" in vars(self):
            await self.id_keys.close()
        await self.identity.close()

    # --- clients ---------------------------------------------------------------------------------

    def _caller_of(self, resource: Resource) -> ModelCaller:
        return ChatCompletions(
            calls=self.backend_calls,
            endpoint=resource.endpoint,
            api_version=resource.api_version,
            authorization=self._authorization(resource),
        )

    def _authorization(self, resource: Resource) -> Authorization:
        if resource.api_key is not None:
            return ApiKey(resource.api_key)
        scope = V1_SCOPE if resource.api_version == V1 else OPENAI_SCOPE
        return EntraToken(identity=self.identity, scope=scope)

    @cached_property
    def _cosmos(self) -> CosmosClient:
        return cosmos_client(
            connection_string=_secret(self._places.cosmos),
            endpoint=self._places.cosmos_endpoint,
            identity=self.identity,
        )

    @cached_property
    def _blob_client(self) -> BlobServiceClient:
        return blob_client(
            connection_string=_secret(self._places.storage),
            endpoint=self._places.storage_blob_uri,
            identity=self.identity,
        )


def entra_tokens(*, tenant: str, audiences: Sequence[str], clock: Clock) -> TokenVerifier:
    """Apart from `Services`: only who verifies tokens itself needs it."""
    # loads cryptography, which no other function needs
    from ptu_optimizer.adapters.entra_tokens import EntraTokens

    return EntraTokens(tenant=tenant, audiences=audiences, clock=clock)


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()
