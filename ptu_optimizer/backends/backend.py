"""What the app can call: one deployment of one Azure OpenAI resource, under a name of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ptu_optimizer.capacity.signals.azure_deployment import AzureDeployment
from ptu_optimizer.capacity.work import Model


class BackendKind(StrEnum):
    """How a backend is paid for, which decides what it runs short of."""

    PROVISIONED = "provisioned"
    """By the hour: it runs short of throughput."""
    PAY_AS_YOU_GO = "pay_as_you_go"
    """By the token: it has a limit a minute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """An Azure OpenAI resource, and how to get in."""

    endpoint: str
    api_version: str
    """A dated version, or `v1` for the path without one."""
    api_key: str | None = field(default=None, repr=False)
    """None: the app's Entra identity is used."""
    resource_id: str | None = None
    """Whose metrics and alerts are about it; None where neither is needed."""
    monitor_endpoint: str | None = None
    """The endpoint of Azure Monitor's metrics in its region."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """Two resources may have deployments of one name; their backends have two names."""

    name: str
    """Unique in the app. Requests, events, records and views name it so."""
    deployment: str
    """Its name in its resource."""
    resource: Resource
    kind: BackendKind
    model: str
    sizing: Model
    """What calls of its model cost."""
    ptus: int | None = None
    """Of a provisioned backend."""
    tokens_per_minute: int | None = None
    """The limit for the queue on a pay-as-you-go backend."""
    requests_per_minute: int | None = None
    spillover: str | None = None
    """The backend that takes what would miss its deadline."""

    @property
    def work_per_second(self) -> float:
        """What it drains by the settings, in input-equivalent tokens a second."""
        return self.sizing.drain_per_second(self.ptus or 0)

    @property
    def in_azure(self) -> AzureDeployment:
        return AzureDeployment(
            backend=self.name,
            deployment=self.deployment,
            resource_id=self.resource.resource_id or "",
            endpoint=self.resource.endpoint,
        )

    @property
    def learned_of(self) -> str:
        """What is learned of a backend holds for just this: another size, model or place has to be
        learned anew, also under the same name."""
        endpoint = self.resource.endpoint.rstrip("/").lower()
        return f"{endpoint}|{self.deployment.lower()}|{self.model}|{self.ptus or 0}"
