"""The app's settings in every row: the defaults, and what a deployment has to say."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from benchmarks.control.row import Row
from benchmarks.control.scenarios import DEPLOYMENT
from local.dev import paths
from local.system.settings import REQUEST_ID_KEY, RESOURCE_ID
from ptu_optimizer.settings.deployments import Deployment
from ptu_optimizer.settings.settings import Settings

__all__ = ["REQUEST_ID_KEY", "batch_size", "settings_of"]

HOST_JSON: Path = paths.ROOT / "host.json"


class _Settings(Settings):
    """Not from the environment: a row is the same on every machine."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def settings_of(row: Row) -> Settings:
    ptus = max(1, round(row.scenario.ptus * row.conditions.capacity_factor))
    values: dict[str, Any] = {
        "EVENT_HUBS__fullyQualifiedNamespace": "memory",
        "COSMOS__accountEndpoint": "https://memory",
        "COSMOS_DATABASE": "memory",
        "AzureWebJobsStorage__blobServiceUri": "https://memory",
        "AZURE_OPENAI_ENDPOINT": "https://memory",
        "AZURE_OPENAI_RESOURCE_ID": RESOURCE_ID,
        "AZURE_MONITOR_ENDPOINT": "https://memory",
        "DEPLOYMENTS": [Deployment(name=DEPLOYMENT, model=row.scenario.model, ptus=ptus)],
        "REQUEST_ID_KEY": REQUEST_ID_KEY,
        "GAUGE_SCHEDULE": "0 * * * * *",
        "SWEEP_SCHEDULE": "0 * * * * *",
    }
    return _Settings(**values)


@cache
def batch_size() -> int:
    """Events of a batch at most, as the host is told."""
    host = json.loads(HOST_JSON.read_text(encoding="utf-8"))
    size: int = host["extensions"]["eventHubs"]["maxEventBatchSize"]
    return size
