"""Providers, and what was deleted and still keeps its name."""

from __future__ import annotations

from typing import Any

from infra.scripts.azure import ENVIRONMENT_TAG
from infra.scripts.inputs import Inputs
from infra.scripts.state.gather import Place, Situation, place
from infra.scripts.tools import is_true

VAULT_PREFIX = "kv-"
"""infra/abbreviations.json."""


def problems(inputs: Inputs, found: Situation) -> list[str]:
    return [*_provider(inputs, found), *_deleted_account(inputs, found)]


def _provider(inputs: Inputs, found: Situation) -> list[str]:
    """No resource of Microsoft.App is in the template, so ARM does not register it by itself."""
    if not is_true(inputs.text("VNET_ENABLED")) or "app_provider" in found.unread:
        return []
    if found.app_provider == "Registered":
        return []
    subscription = place(inputs).subscription
    return [
        "VNET_ENABLED needs the provider Microsoft.App, which is "
        f"{found.app_provider or 'not known'} in this subscription\n"
        f"    az provider register --namespace Microsoft.App --wait --subscription {subscription}"
    ]


def _deleted_account(inputs: Inputs, found: Situation) -> list[str]:
    """It keeps the name, and its PTU deployments are billed, until it is purged."""
    here = place(inputs)
    told = []
    for one in found.deleted_accounts:
        # …/locations/LOCATION/resourceGroups/GROUP/deletedAccounts/NAME
        pieces = str(one.get("id", "")).split("/")
        named = {pieces[at].lower(): pieces[at + 1] for at in range(1, len(pieces) - 1, 2)}
        if named.get("resourcegroups", "").lower() != here.group.lower():
            continue
        if named.get("locations", "").lower() != here.location.lower():
            continue
        name = named.get("deletedaccounts", "")
        told.append(
            f"The account {name} of this environment was deleted and keeps its name; PTU "
            "deployments that were on it are billed until it is purged\n"
            f"    az cognitiveservices account purge --subscription {here.subscription} "
            f"-l {here.location} -g {named['resourcegroups']} -n {name}"
        )
    return told


def vault_to_recover(inputs: Inputs, found: Situation) -> Any:
    """The deleted vault of this environment, or None. Purge protection keeps its name for 90 days,
    so it cannot be made again, and without its key no id that was given out is known."""
    here = place(inputs)
    for one in found.deleted_vaults:
        if is_our_vault(one, here, environment=inputs.text("AZURE_ENV_NAME")):
            return one
    return None


def is_our_vault(vault: Any, here: Place, *, environment: str) -> bool:
    properties = vault.get("properties") or {}
    lies_in = str(properties.get("vaultId", "")).lower()
    owner = (properties.get("tags") or {}).get(ENVIRONMENT_TAG, environment)
    # names come from the region, too: a vault of another one is not in the way
    location = str(properties.get("location", "")).replace(" ", "").lower()
    return (
        lies_in.startswith(f"{here.group_id.lower()}/")
        and str(vault.get("name", "")).startswith(VAULT_PREFIX)
        and owner == environment
        and location == here.location.replace(" ", "").lower()
    )
