"""What the tests of preprovision share: usual inputs, and the tables of this repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from infra.scripts.check_inputs import loaded, problems
from infra.scripts.inputs import Inputs

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OTHER_SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
TENANT = "00000000-0000-0000-0000-00000000000a"
ACCOUNT = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ai"
    "/providers/Microsoft.CognitiveServices/accounts/acct"
)
USUAL = {
    "AZURE_ENV_NAME": "dev",
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "AZURE_LOCATION": "swedencentral",
    "OPENAI_RESOURCE_ID": ACCOUNT,
    "PTU_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4.1:50",
}
BUYS = {
    "PTU_DEPLOYMENTS": "",
    "CREATE_PTU_DEPLOYMENT": "true",
    "PTU_COUNT": "50",
}


def inputs(
    changes: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
) -> Inputs:
    """The usual inputs with these changes."""
    return replace(loaded({**USUAL, **(changes or {})}), settings=settings or {})


def said(
    changes: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
) -> str:
    """What is wrong with them, before anything is asked of Azure."""
    return "\n".join(problems(inputs(changes, settings)))
