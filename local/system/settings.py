"""The app settings of a local system: what Azure would be told in its portal, for loopback."""

from __future__ import annotations

import json

from local.system.options import Options
from local.system.ports import LOOPBACK

STORAGE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""Azurite's account key: published by Microsoft, the same everywhere, no secret."""

COSMOS_KEY = (
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)
"""The Cosmos DB emulator's account key: published by Microsoft, the same everywhere, no secret."""

OPENAI_KEY = "local"
REQUEST_ID_KEY = "request ids of a local system"
"""Fixed, so that the ids that `./dev up` gave out yesterday are known today."""

IDENTITY_HEADER = "local-identity"
RESOURCE_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    "/providers/Microsoft.CognitiveServices/accounts/local"
)


def app_settings(options: Options) -> dict[str, str]:
    """What every host of this system is started with, `options.settings` last."""
    ports = options.ports
    ptu = f"http://{LOOPBACK}:{ports.ptu}"
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsStorage": storage_connection(ports.blobs),
        "EVENT_HUBS": (
            f"Endpoint=sb://{LOOPBACK}:{ports.event_hubs};"
            "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;"
            "UseDevelopmentEmulator=true;"
        ),
        "COSMOS": f"AccountEndpoint=http://{LOOPBACK}:{ports.cosmos}/;AccountKey={COSMOS_KEY};",
        "COSMOS_DATABASE": "ptu",
        "AZURE_OPENAI_ENDPOINT": ptu,
        "AZURE_OPENAI_API_KEY": OPENAI_KEY,
        "AZURE_MONITOR_ENDPOINT": ptu,
        "AZURE_OPENAI_RESOURCE_ID": RESOURCE_ID,
        "DEPLOYMENTS": json.dumps(
            [
                {"name": deployment.name, "model": deployment.model, "ptus": deployment.ptus}
                for deployment in options.deployments
            ]
        ),
        "REQUEST_ID_KEY": REQUEST_ID_KEY,
        "GAUGE_SCHEDULE": "*/15 * * * * *",
        "SWEEP_SCHEDULE": "*/30 * * * * *",
        # managed identity as App Service offers it: a token for Azure Monitor without an account
        "IDENTITY_ENDPOINT": f"{ptu}/msi/token",
        "IDENTITY_HEADER": IDENTITY_HEADER,
        **options.settings,
    }


def storage_connection(port: int) -> str:
    """The connection string of Azurite's one account, blobs only."""
    return (
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
        f"AccountKey={STORAGE_KEY};BlobEndpoint=http://{LOOPBACK}:{port}/devstoreaccount1;"
    )
