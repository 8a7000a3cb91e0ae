"""Where the services are, and how to get in."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from .group import SettingsGroup

_CONNECTION_STRINGS = {
    "event_hubs": re.compile(r"(?is)(?=.*\bEndpoint=sb://).*\bSharedAccess(Key|Signature)="),
    "cosmos": re.compile(r"(?is)(?=.*\bAccountEndpoint=https?://).*\bAccountKey="),
    "storage": re.compile(r"(?i)\b(AccountName=|BlobEndpoint=|UseDevelopmentStorage=true)"),
}
"""The least that a connection string of each service has."""


class ConnectionSettings(SettingsGroup):
    """Connections follow the Functions host's convention: `NAME` is a connection string,
    `NAME__fullyQualifiedNamespace` (and the like) an identity-based one."""

    event_hubs: SecretStr | None = Field(
        None,
        alias="EVENT_HUBS",
        description="Event Hubs connection string (or use EVENT_HUBS__fullyQualifiedNamespace)",
        examples=["Endpoint=sb://NAME.servicebus.windows.net/;SharedAccessKeyName=…"],
    )
    event_hubs_namespace: str | None = Field(
        None,
        alias="EVENT_HUBS__fullyQualifiedNamespace",
        pattern=r"^[^/\s]+$",
        description="Event Hubs namespace, for identity-based connections",
        examples=["NAME.servicebus.windows.net"],
    )
    cosmos: SecretStr | None = Field(
        None,
        alias="COSMOS",
        description="Cosmos DB connection string (or use COSMOS__accountEndpoint)",
        examples=["AccountEndpoint=https://NAME.documents.azure.com:443/;AccountKey=…;"],
    )
    cosmos_endpoint: str | None = Field(
        None,
        alias="COSMOS__accountEndpoint",
        pattern=r"^https?://",
        description="Cosmos DB account endpoint, for identity-based connections",
        examples=["https://NAME.documents.azure.com:443/"],
    )
    cosmos_database: str = Field(
        alias="COSMOS_DATABASE", description="Cosmos DB database", examples=["ptu"]
    )
    storage: SecretStr | None = Field(
        None,
        alias="AzureWebJobsStorage",
        description="storage connection string (or use AzureWebJobsStorage__blobServiceUri)",
        examples=["DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…"],
    )
    storage_blob_uri: str | None = Field(
        None,
        alias="AzureWebJobsStorage__blobServiceUri",
        pattern=r"^https?://",
        description="blob endpoint, for identity-based connections",
        examples=["https://NAME.blob.core.windows.net"],
    )
    azure_client_id: str | None = Field(
        None,
        alias="AZURE_CLIENT_ID",
        description="client id of the user-assigned identity that the app uses",
        examples=["00000000-0000-0000-0000-000000000000"],
    )
    azure_openai_endpoint: str = Field(
        alias="AZURE_OPENAI_ENDPOINT",
        pattern=r"^https?://",
        description="endpoint of the Azure OpenAI resource",
        examples=["https://NAME.openai.azure.com"],
    )
    azure_openai_api_key: SecretStr | None = Field(
        None,
        alias="AZURE_OPENAI_API_KEY",
        description="its key; without it, the app's Entra identity is used",
        examples=["a key of the resource"],
    )
    azure_openai_api_version: str = Field(
        "2024-10-21",
        alias="AZURE_OPENAI_API_VERSION",
        description="api-version of the calls",
        examples=["2024-10-21"],
    )
    azure_openai_resource_id: str = Field(
        alias="AZURE_OPENAI_RESOURCE_ID",
        pattern=r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/",
        description="resource id of the Azure OpenAI resource, whose metrics are read",
        examples=[
            "/subscriptions/S/resourceGroups/RG/providers/Microsoft.CognitiveServices/accounts/NAME"
        ],
    )
    azure_monitor_endpoint: str = Field(
        alias="AZURE_MONITOR_ENDPOINT",
        pattern=r"^https?://",
        description="regional endpoint of Azure Monitor metrics",
        examples=["https://swedencentral.metrics.monitor.azure.com"],
    )

    @field_validator("event_hubs", "cosmos", "storage")
    @classmethod
    def _names_its_parts(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Find a wrong string here, and not at the first request. Shows nothing of its content."""
        if value is not None and not _CONNECTION_STRINGS[str(info.field_name)].search(
            value.get_secret_value()
        ):
            raise ValueError("its parts are not those of such a connection string")
        return value
