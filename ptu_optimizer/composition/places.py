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
        backends=s.all_backends,
        calls_at_a_time=s.max_concurrent_calls,
        request_id_key_uri=s.request_id_key_uri,
        client_id=s.azure_client_id,
    )
