"""Which deployment of which resource a backend is, in Azure's words. Pure.

The app calls each backend by a name of its own. Azure's alerts and metrics, and gateways, know only
resources and their deployments, and two resources may have deployments of one name.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureDeployment:
    """Azure compares none of these by case."""

    backend: str
    """The name of the backend, unique in the app."""
    deployment: str
    resource_id: str = ""
    """Empty if the settings do not say it."""
    endpoint: str = ""

    def is_in(self, resource: str) -> bool:
        """Whether `resource` is its resource: by id, by the account's name, or by endpoint."""
        return _as_compared(resource) in self._names()

    def is_named(self, deployment: str) -> bool:
        return self.deployment.lower() == deployment.strip().lower()

    def _names(self) -> set[str]:
        names = {_as_compared(self.resource_id), _as_compared(self.endpoint)}
        names.add(_as_compared(self.resource_id).rpartition("/")[2])
        names.add(_as_compared(urlsplit(self.endpoint).netloc))
        return names - {""}


def _as_compared(resource: str) -> str:
    """Azure Monitor writes resource ids in lower case, people do not."""
    return resource.strip().rstrip("/").lower()
