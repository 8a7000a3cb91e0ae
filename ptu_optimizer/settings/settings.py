"""All settings of the app. This package is the only reader of the environment.

Field aliases are the names of the app settings.
"""

from __future__ import annotations

from functools import cached_property
from typing import Self

from pydantic import ValidationError, model_validator

from ptu_optimizer.backends.backend import Backend, BackendKind, Resource

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

    @cached_property
    def all_backends(self) -> tuple[Backend, ...]:
        """Every deployment that the app may call."""
        key = self.azure_openai_api_key
        return self.backends(
            Resource(
                endpoint=self.azure_openai_endpoint,
                api_version=self.azure_openai_api_version,
                api_key=None if key is None else key.get_secret_value(),
                resource_id=self.azure_openai_resource_id,
                monitor_endpoint=self.azure_monitor_endpoint,
            )
        )

    @property
    def provisioned(self) -> tuple[Backend, ...]:
        """Those of DEPLOYMENTS, in its order."""
        return tuple(b for b in self.all_backends if b.kind is BackendKind.PROVISIONED)

    @property
    def pay_as_you_go(self) -> tuple[Backend, ...]:
        """Those of SPILLOVER_DEPLOYMENTS, in its order."""
        return tuple(b for b in self.all_backends if b.kind is BackendKind.PAY_AS_YOU_GO)

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
        self.check_dispatch()
        self.check_deployments()
        self._check_places()
        self.check_alerts()
        return self

    def _check_places(self) -> None:
        """Two names for one deployment would each believe to have it alone. Raises Misfit."""
        seen: dict[tuple[str, str], str] = {}
        for backend in self.all_backends:
            place = (backend.resource.endpoint.rstrip("/").lower(), backend.deployment.lower())
            other = seen.setdefault(place, backend.name)
            if other != backend.name:
                raise Misfit(
                    f"{other} and {backend.name} are one deployment, {backend.deployment} of "
                    f"{backend.resource.endpoint}: give it one name in DEPLOYMENTS and "
                    "SPILLOVER_DEPLOYMENTS",
                    "DEPLOYMENTS",
                    "SPILLOVER_DEPLOYMENTS",
                )


def load_settings() -> Settings:
    """Read the environment. Raises SettingsError, which names every bad setting."""
    try:
        return Settings()
    except ValidationError as error:
        entries = [dict(entry) for entry in error.errors(include_input=False)]
    raise Complaints(Settings.model_fields).error(entries)
