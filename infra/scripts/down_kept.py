"""What Azure keeps for a while after its deletion, under its name: accounts and gateways."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from infra.scripts.azure import DEPLOYMENTS_API, Azure, AzureError
from infra.scripts.down_env import Environment, inside
from infra.scripts.down_record import Record
from infra.scripts.questions import quoted

GATEWAY_API = "2024-05-01"

_ACCOUNT = re.compile(
    r"(?i)^(?P<subscription>/subscriptions/[^/]+)/providers/Microsoft\.CognitiveServices"
    r"/locations/(?P<location>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/deletedAccounts/(?P<name>[^/]+)$"
)


@dataclass(frozen=True)
class Kept:
    """One deleted resource that Azure keeps."""

    id: str
    """What it had before."""
    name: str
    ours: bool
    """Recorded or tagged. One that only lay in our group is told, not purged."""
    told: str
    purge: tuple[str, ...]
    """Arguments of `az`."""
    subscription: str

    @property
    def command(self) -> str:
        """For a person."""
        arguments = " ".join(quoted(one) for one in self.purge)
        return f"az {arguments} --subscription {self.subscription}"


def kept_accounts(
    asked: Environment, record: Record, *, azure: Azure, groups: Iterable[str]
) -> list[Kept]:
    """Accounts that lay in our groups. Raises AzureError."""
    groups = tuple(groups)
    recorded = {one.lower() for one in record.accounts}
    found = []
    for one in _listed(azure, "Microsoft.CognitiveServices/deletedAccounts", DEPLOYMENTS_API):
        match = _ACCOUNT.match(one["id"])
        if match is None:
            continue
        before = (
            f"{match['subscription']}/resourceGroups/{match['group']}"
            f"/providers/Microsoft.CognitiveServices/accounts/{match['name']}"
        )
        if not inside(before, groups):
            continue
        found.append(
            Kept(
                id=before,
                name=match["name"],
                ours=before.lower() in recorded or asked.tagged(one.get("tags")),
                told=f"Azure keeps the deleted account {match['name']}: its name is taken, and "
                "PTUs that it still has are billed, until it is purged.",
                purge=(
                    "cognitiveservices", "account", "purge",
                    "--location", match["location"],
                    "--resource-group", match["group"],
                    "--name", match["name"],
                ),
                subscription=azure.subscription,
            )
        )  # fmt: skip
    return found


def kept_gateways(record: Record, *, azure: Azure, groups: Iterable[str]) -> list[Kept]:
    """API Management that lay in our groups. Azure tells no tags of it. Raises AzureError."""
    groups = tuple(groups)
    recorded = {one.lower() for one in record.gateways}
    found = []
    for one in _listed(azure, "Microsoft.ApiManagement/deletedservices", GATEWAY_API):
        before = str((one.get("properties") or {}).get("serviceId"))
        if not inside(before, groups):
            continue
        found.append(
            Kept(
                id=before,
                name=one["name"],
                ours=before.lower() in recorded,
                told=f"Azure keeps the deleted API Management {one['name']}: its name is taken "
                "until it is purged.",
                purge=(
                    "apim", "deletedservice", "purge",
                    "--location", one["location"],
                    "--service-name", one["name"],
                ),
                subscription=azure.subscription,
            )
        )  # fmt: skip
    return found


def _listed(azure: Azure, what: str, api: str) -> list[Any]:
    try:
        return azure.listed(
            f"/subscriptions/{azure.subscription}/providers/{what}", api_version=api
        )
    except AzureError as error:
        if error.code in _NEVER_USED:
            return []
        raise


_NEVER_USED = frozenset(
    {"MissingSubscriptionRegistration", "MissingRegistrationForResourceProvider"}
)
"""The subscription has never had a resource of this provider, so Azure keeps none."""
