"""Clients for the connections that bindings name, from app settings.

`CONN` holds a connection string; without one, `CONN__fullyQualifiedNamespace` and the like name an
endpoint for Entra ID, with `CONN__credential=managedidentity` and `CONN__clientId` as in Azure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.host.bindings import CosmosOutput, EventHubTrigger
from local.host.errors import RefusedError
from local.host.settings import AppSettings

if TYPE_CHECKING:  # each SDK is imported where a connection needs it: the host starts sooner
    from azure.cosmos.aio import CosmosClient
    from azure.eventhub import TransportType
    from azure.eventhub.aio import EventHubConsumerClient
    from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
    from azure.storage.blob.aio import BlobServiceClient

STORAGE = "AzureWebJobsStorage"
"""The connection of the host itself: checkpoints, leases, timer status."""

# Azurite's published development account; not a secret.
_DEVELOPMENT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
)


# The SDK's defaults wait 15 s before the first retry: longer than an ownership lasts here.
_STORAGE_RETRIES: dict[str, Any] = {"retry_total": 3, "initial_backoff": 0.2, "increment_base": 2}


def storage_connection_string(settings: AppSettings) -> str | None:
    """The connection string of `AzureWebJobsStorage`, `None` for an identity-based one."""
    text = settings.get(STORAGE)
    return _DEVELOPMENT if text == "UseDevelopmentStorage=true" else text


def storage_client(settings: AppSettings) -> BlobServiceClient:
    """The host's own storage account."""
    from azure.storage.blob.aio import BlobServiceClient

    text = storage_connection_string(settings)
    try:
        if text is not None:
            return BlobServiceClient.from_connection_string(text, **_STORAGE_RETRIES)
        url, credential = _storage_identity(settings)
        return BlobServiceClient(url, credential=credential, **_STORAGE_RETRIES)
    except ValueError as error:
        raise RefusedError(f"the app setting {STORAGE} is not usable: {error}") from None


def checkpoint_store(settings: AppSettings, container: str) -> BlobCheckpointStore:
    """The store of ownership and checkpoints; it brings a blob client of its own."""
    from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore

    text = storage_connection_string(settings)
    if text is not None:
        return BlobCheckpointStore.from_connection_string(text, container, **_STORAGE_RETRIES)
    url, credential = _storage_identity(settings)
    return BlobCheckpointStore(url, container, credential=credential, **_STORAGE_RETRIES)


def _storage_identity(settings: AppSettings) -> tuple[str, Any]:
    section = settings.section(STORAGE)
    url = section.get("blobserviceuri")
    if url is None and "accountname" in section:
        url = f"https://{section['accountname']}.blob.core.windows.net"
    if url is None:
        raise RefusedError(
            f"the app setting {STORAGE} is missing: timers and Event Hub triggers keep leases and "
            "checkpoints there (UseDevelopmentStorage=true is Azurite on port 10000)"
        )
    return url, _credential(section)


def consumer_client(
    trigger: EventHubTrigger, settings: AppSettings, **options: Any
) -> EventHubConsumerClient:
    """A consumer of the trigger's hub; `options` as the SDK's constructor has them."""
    from azure.eventhub.aio import EventHubConsumerClient

    text = settings.get(trigger.connection)
    section = settings.section(trigger.connection)
    try:
        if text is not None:
            return EventHubConsumerClient.from_connection_string(
                text, trigger.consumer_group, eventhub_name=trigger.hub, **options
            )
        if "fullyqualifiednamespace" in section:
            return EventHubConsumerClient(
                section["fullyqualifiednamespace"],
                trigger.hub,
                trigger.consumer_group,
                _credential(section),
                **options,
            )
    except ValueError as error:
        raise RefusedError(f"the app setting {trigger.connection} is not usable: {error}") from None
    raise RefusedError(
        f"the hub {trigger.hub!r}: neither of the app settings {trigger.connection} and "
        f"{trigger.connection}__fullyQualifiedNamespace is there"
    )


def cosmos_client(output: CosmosOutput, settings: AppSettings) -> CosmosClient:
    """The Cosmos DB account of an output binding."""
    from azure.cosmos.aio import CosmosClient

    text = settings.get(output.connection)
    section = settings.section(output.connection)
    try:
        if text is not None:
            return CosmosClient.from_connection_string(text)
        if "accountendpoint" in section:
            return CosmosClient(section["accountendpoint"], _credential(section))
    except (ValueError, KeyError) as error:
        raise RefusedError(f"the app setting {output.connection} is not usable: {error}") from None
    raise RefusedError(
        f"the container {output.container!r}: neither of the app settings {output.connection} and "
        f"{output.connection}__accountEndpoint is there"
    )


def transport(websockets: bool) -> TransportType:
    """The SDK's name of host.json's transportType."""
    from azure.eventhub import TransportType

    return TransportType.AmqpOverWebsocket if websockets else TransportType.Amqp


def _credential(section: dict[str, str]) -> Any:
    from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

    if section.get("credential", "").lower() == "managedidentity":
        return ManagedIdentityCredential(client_id=section.get("clientid"))
    return DefaultAzureCredential()
