"""What is to be taken down, by the inputs of azd's environment: outputs may be missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.scripts.azure import ENVIRONMENT_TAG, group_id, parts
from infra.scripts.inputs.further import FURTHER, provisioned, read
from infra.scripts.questions import quoted
from infra.scripts.tools import HookError, is_true, needed

CONFIRMED = "DOWN_CONFIRMED"
SKIP = (
    "To take it down without these checks: azd env set SKIP_DOWN_HOOKS true. What then stays, and "
    'what it costs, is told in docs/deployment.md, "Taking it down".'
)

_ACCOUNT = re.compile(
    r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.CognitiveServices"
    r"/accounts/[^/]+$"
)
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._()-]*$")
"""Of an environment: it becomes a folder's name here."""

SPILLOVER_NAME = "payg"
"""Default of spilloverDeploymentName in infra/main.bicep; no variable changes it."""


@dataclass(frozen=True)
class Environment:
    """One environment of azd, and what it touches outside its own group."""

    name: str
    subscription: str
    groups: tuple[str, ...]
    """Names of its own resource group. Two, where the name was changed and not deployed since."""
    accounts: tuple[str, ...]
    """Resource ids of accounts of the user's that it knows."""
    asked_for: tuple[str, ...]
    """Names of deployments that it was asked to create on the first of them."""
    webhook: str
    """Object id of the webhook's application, if there is one."""

    @property
    def group_ids(self) -> tuple[str, ...]:
        return tuple(group_id(self.subscription, one) for one in self.groups)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Its own and those of the accounts."""
        found = [self.subscription, *(parts(one)[0] for one in self.accounts)]
        return tuple(distinct(found))

    def tagged(self, tags: Mapping[str, str] | None) -> bool:
        return (tags or {}).get(ENVIRONMENT_TAG) == self.name


def environment(env: Mapping[str, str]) -> Environment:
    """Raises HookError where azd told no environment."""
    name, subscription = needed(env, "AZURE_ENV_NAME", "AZURE_SUBSCRIPTION_ID")
    if not _NAME.match(name):
        raise HookError(f"AZURE_ENV_NAME is {name!r}, which is no name of an environment.")
    created_in = env.get("PROVISIONED_SUBSCRIPTION_ID") or subscription
    if created_in.lower() != subscription.lower():
        raise HookError(
            f"This environment was created in the subscription {created_in}, and azd down would "
            f"look in {subscription}. Nothing was deleted.\n"
            f"    azd env set AZURE_SUBSCRIPTION_ID {created_in}"
        )
    # the note of preprovision and the output of the deployment; else what the input asks for
    noted = [env.get(one, "") for one in ("AZURE_RESOURCE_GROUP", "PROVISIONED_RESOURCE_GROUP")]
    groups = distinct(one for one in noted if one) or [
        env.get("AZURE_RESOURCE_GROUP_NAME") or f"rg-{name}"
    ]
    ids = [group_id(subscription, one) for one in groups]
    named = ("OPENAI_RESOURCE_ID", "AZURE_OPENAI_RESOURCE_ID", "NEXT_OPENAI_RESOURCE_ID")
    further = [one.id for one in read(env.get(FURTHER, ""))[0]]
    accounts = distinct([*(env.get(one, "") for one in named), *further, *provisioned(env)])
    created_here = is_true(env.get("CREATE_OPENAI_ACCOUNT"))
    asked_for = [
        *(
            [env.get("PTU_DEPLOYMENT_NAME") or "ptu"]
            if is_true(env.get("CREATE_PTU_DEPLOYMENT"))
            else []
        ),
        *([SPILLOVER_NAME] if is_true(env.get("CREATE_SPILLOVER_DEPLOYMENT")) else []),
    ]
    return Environment(
        name=name,
        subscription=subscription,
        groups=tuple(groups),
        accounts=tuple(one for one in accounts if _ACCOUNT.match(one) and not inside(one, ids)),
        asked_for=() if created_here else tuple(asked_for),
        webhook=env.get("ALERT_WEBHOOK_OBJECT_ID", ""),
    )


def distinct(values: Iterable[str]) -> list[str]:
    """In order, without a second spelling: Azure's names and ids do not differ by case."""
    found: dict[str, str] = {}
    for one in values:
        found.setdefault(one.lower(), one)
    return list(found.values())


def inside(resource_id: str, groups: Iterable[str]) -> bool:
    """Whether a resource lies in one of these groups, by their ids."""
    return any(resource_id.lower().startswith(f"{one.lower()}/") for one in groups)


def is_account(resource_id: str) -> bool:
    return bool(_ACCOUNT.match(resource_id))


def delete_command(account_id: str, deployment: str) -> str:
    """How a person deletes a deployment."""
    subscription, group, account = parts(account_id)
    return (
        f"az cognitiveservices account deployment delete --subscription {subscription} "
        f"--resource-group {quoted(group)} --name {quoted(account)} "
        f"--deployment-name {quoted(deployment)}"
    )
