"""Which Azure OpenAI account, and where it lies."""

from __future__ import annotations

import re

from infra.scripts.azure import parts
from infra.scripts.inputs import Inputs, mend
from infra.scripts.tools import is_true

ACCOUNT = re.compile(
    r"(?i)^/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[^/]+"
    r"/providers/Microsoft\.CognitiveServices/accounts/[^/\s]+\Z"
)


def problems(inputs: Inputs) -> list[str]:
    return [*_which(inputs), *_spelling(inputs), *_next(inputs), *_own_group(inputs)]


def group_name(inputs: Inputs) -> str:
    """The environment's own resource group, as infra/main.bicep names it."""
    return inputs.text("AZURE_RESOURCE_GROUP_NAME", f"rg-{inputs.text('AZURE_ENV_NAME')}")


def _which(inputs: Inputs) -> list[str]:
    account = inputs.text("OPENAI_RESOURCE_ID")
    if is_true(inputs.text("CREATE_OPENAI_ACCOUNT")):
        found = []
        if not is_true(inputs.text("CREATE_PTU_DEPLOYMENT")):
            found.append(
                "CREATE_OPENAI_ACCOUNT makes an account with nothing on it: set "
                "CREATE_PTU_DEPLOYMENT as well, or OPENAI_RESOURCE_ID of one that exists."
                + mend("CREATE_OPENAI_ACCOUNT", "false")
            )
        if account:
            found.append(
                "OPENAI_RESOURCE_ID names an account, and CREATE_OPENAI_ACCOUNT makes another, "
                "which would be used in its place: keep one of them"
                + mend("CREATE_OPENAI_ACCOUNT", "false")
                + "\n  or"
                + mend("OPENAI_RESOURCE_ID", "")
            )
        return found
    if not account:
        return [
            "Which Azure OpenAI account is to be filled?\n"
            "    azd env set OPENAI_RESOURCE_ID "
            "$(az cognitiveservices account show -g GROUP -n NAME --query id -o tsv)"
        ]
    return _no_id(inputs, "OPENAI_RESOURCE_ID")


def _no_id(inputs: Inputs, name: str) -> list[str]:
    if ACCOUNT.match(inputs.text(name)):
        return []
    return [
        f"{name} is {inputs.text(name)!r}, which is no resource id of an account: "
        "/subscriptions/…/resourceGroups/…/providers/Microsoft.CognitiveServices/accounts/NAME\n"
        f"    azd env set {name} "
        "$(az cognitiveservices account show -g GROUP -n NAME --query id -o tsv)"
    ]


def _spelling(inputs: Inputs) -> list[str]:
    """Names of role assignments are made from the id as it is written: with another spelling the
    same role would be assigned once more, which Azure refuses."""
    now, before = inputs.text("OPENAI_RESOURCE_ID"), inputs.text("AZURE_OPENAI_RESOURCE_ID")
    if is_true(inputs.text("CREATE_OPENAI_ACCOUNT")):
        return []
    if not (ACCOUNT.match(now) and ACCOUNT.match(before)):
        return []
    if now.lower() != before.lower() or parts(now) == parts(before):
        return []
    return [
        "OPENAI_RESOURCE_ID spells the account otherwise than the last provisioning did, so the "
        "same roles would be assigned a second time, which Azure refuses"
        + mend("OPENAI_RESOURCE_ID", before)
    ]


def _next(inputs: Inputs) -> list[str]:
    return (
        _no_id(inputs, "NEXT_OPENAI_RESOURCE_ID") if inputs.text("NEXT_OPENAI_RESOURCE_ID") else []
    )


def _own_group(inputs: Inputs) -> list[str]:
    return [
        problem
        for name in ("OPENAI_RESOURCE_ID", "NEXT_OPENAI_RESOURCE_ID")
        if ACCOUNT.match(inputs.text(name))
        for problem in lies_in_own_group(inputs, name, inputs.text(name))
    ]


def lies_in_own_group(inputs: Inputs, name: str, account: str) -> list[str]:
    """`azd down` deletes the environment's group with all that is in it."""
    group = group_name(inputs)
    subscription = inputs.text("AZURE_SUBSCRIPTION_ID").lower()
    there, its_group, _ = parts(account)
    if its_group.lower() != group.lower() or subscription not in {"", there.lower()}:
        return []
    return [
        f"{name} lies in the resource group {group}, which would become the group of this "
        "environment: `azd down` deletes all of it, the account too. Take a new group"
        + mend("AZURE_RESOURCE_GROUP_NAME", f"{group}-queue")
    ]
