"""All settings of the app. This package is the only reader of the environment.

Field aliases are the names of the app settings.
"""

from __future__ import annotations

from typing import Self

from pydantic import ValidationError, model_validator

from .admission import AdmissionSettings
from .alerts import AlertSettings
from .connections import ConnectionSettings
from .deployments import DeploymentSettings
from .dispatch import DispatchSettings
from .queue import QueueSettings
from .setting_errors import Complaints, Misfit, alias, looks


class Settings(
    AlertSettings,
    AdmissionSettings,
    DispatchSettings,
    QueueSettings,
    DeploymentSettings,
    ConnectionSettings,
):
    """Every group in one, as pydantic collects them: the last one is read first."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for one, other in (
            ("event_hubs", "event_hubs_namespace"),
            ("cosmos", "cosmos_endpoint"),
            ("storage", "storage_blob_uri"),
        ):
            if getattr(self, one) is None and getattr(self, other) is None:
                fields = type(self).model_fields
                name, alternative = alias(fields[one]), alias(fields[other])
                raise Misfit(f"{name} or {alternative} must be set; {looks(fields[one])}", name)
        self.check_admission()
        self.check_queue()
        self.check_deployments()
        self.check_alerts()
        return self


def load_settings() -> Settings:
    """Read the environment. Raises SettingsError, which names every bad setting."""
    try:
        return Settings()
    except ValidationError as error:
        entries = [dict(entry) for entry in error.errors(include_input=False)]
    raise Complaints(Settings.model_fields).error(entries)
