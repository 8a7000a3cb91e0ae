"""Settings as the files of a deployment set them: do they load, and is each of them read?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from ptu_optimizer.settings.settings import Settings, load_settings

ALIASES = {str(field.alias): field for field in Settings.model_fields.values()}

SECRETS = frozenset(
    alias for alias, field in ALIASES.items() if "SecretStr" in str(field.annotation)
)
"""Connection strings and keys: what must not stand in a file that is meant for Azure."""

READ_BY_THE_HOST = frozenset(
    {
        "AzureFunctionsWebHost__hostid",
        "AzureWebJobsSecretStorageType",
        "AzureWebJobsStorage__queueServiceUri",
        "AzureWebJobsStorage__tableServiceUri",
        "FUNCTIONS_SECRETS_PATH",
        "FUNCTIONS_WORKER_RUNTIME",
        "PYTHON_ENABLE_INIT_INDEXING",
    }
)
"""What the Functions host or its worker reads, and the app does not."""

READ_BY_IDENTITY = frozenset(
    {"AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"}
)
"""What azure-identity reads, and the app does not."""


def loaded(values: Mapping[str, str]) -> Settings:
    """The settings that a process with these variables, and no others of ours, would have. Raises
    SettingsError."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ALIASES:
            environment.delenv(name, raising=False)
        for name, value in values.items():
            environment.setenv(name, value)
        return load_settings()


def read_by_nobody(names: Iterable[str], *, host: bool) -> set[str]:
    """Settings that nothing reads; `host` says whether there is a Functions host."""
    known = ALIASES.keys() | READ_BY_IDENTITY | (READ_BY_THE_HOST if host else frozenset())
    return set(names) - known
