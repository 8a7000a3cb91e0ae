"""Where the services are, as the settings say."""

from __future__ import annotations

from ptu_optimizer.services import Places
from ptu_optimizer.settings.settings import Settings


def places(s: Settings) -> Places:
    """Where the settings say that the services are."""
    return Places(
        event_hubs=s.event_hubs,
        event_hubs_namespace=s.event_hubs_namespace,
        cosmos=s.cosmos,
        cosmos_endpoint=s.cosmos_endpoint,
        cosmos_database=s.cosmos_database,
        storage=s.storage,
        storage_blob_uri=s.storage_blob_uri,
        openai_endpoint=s.azure_openai_endpoint,
        openai_api_key=s.azure_openai_api_key,
        openai_api_version=s.azure_openai_api_version,
        openai_connections=s.max_concurrent_calls
        * (len(s.deployments) + len(s.spillover_deployments)),
        request_id_key_uri=s.request_id_key_uri,
        monitor_endpoint=s.azure_monitor_endpoint,
        openai_resource_id=s.azure_openai_resource_id,
        deployments=tuple(d.name for d in s.deployments),
        client_id=s.azure_client_id,
    )
