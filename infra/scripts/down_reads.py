"""What there is to take down: read from Azure, nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.scripts.azure import (
    ENVIRONMENT_TAG,
    GROUP_TAG,
    Azure,
    Deployment,
    Forbidden,
    NotFound,
    NotLoggedIn,
)
from infra.scripts.down_env import Environment, distinct, inside, is_account
from infra.scripts.role_wait import ROLES_API
from infra.scripts.tools import ROOT

RESOURCES_API = "2021-04-01"
IDENTITY_API = "2023-01-31"
RULES_API = "2018-03-01"

ACCOUNT_TYPE = "microsoft.cognitiveservices/accounts"
GATEWAY_TYPE = "microsoft.apimanagement/service"
IDENTITY_TYPE = "microsoft.managedidentity/userassignedidentities"
VAULT_TYPE = "microsoft.keyvault/vaults"


@dataclass(frozen=True)
class Account:
    """An Azure OpenAI account in the own group."""

    id: str
    ours: bool
    deployments: tuple[Deployment, ...]

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]


@dataclass(frozen=True)
class Group:
    """What lies in the own group, or groups."""

    resources: int = 0
    accounts: tuple[Account, ...] = ()
    gateways: tuple[str, ...] = ()
    vaults: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    """Object ids of this environment's identities."""


@dataclass(frozen=True)
class Assignment:
    id: str
    role: str
    scope: str
    principal: str


@dataclass(frozen=True)
class OnAccount:
    """A deployment on an account of the user's."""

    account: str
    deployment: Deployment


@dataclass(frozen=True)
class Outside:
    """What lies outside the own group and has to do with this environment."""

    assignments: tuple[Assignment, ...] = ()
    rules: tuple[str, ...] = ()
    other_rules: tuple[str, ...] = ()
    """They call an action group of ours beside another one, and are not tagged as ours."""
    tagged: tuple[OnAccount, ...] = ()
    untagged: tuple[OnAccount, ...] = ()
    """Of a name that this environment was asked to create, without any environment's tag."""
    unread: tuple[str, ...] = ()
    """What the person has no right to read, in words."""


def read_group(environment: Environment, *, azure: Azure, names: Iterable[str]) -> Group:
    """`names`: the groups that exist. Raises AzureError."""
    resources = [
        one
        for name in names
        for one in azure.listed(
            f"/subscriptions/{azure.subscription}/resourceGroups/{name}/resources",
            api_version=RESOURCES_API,
        )
    ]

    def of_type(wanted: str, *, ours: bool = True) -> list[Mapping[str, Any]]:
        return [
            one
            for one in resources
            if str(one.get("type", "")).lower() == wanted
            and (not ours or environment.tagged(one.get("tags")))
        ]

    identities = [
        azure.rest("get", one["id"], api_version=IDENTITY_API) for one in of_type(IDENTITY_TYPE)
    ]
    return Group(
        resources=len(resources),
        accounts=tuple(
            Account(
                id=one["id"],
                ours=environment.tagged(one.get("tags")),
                deployments=tuple(azure.deployments(one["id"])),
            )
            for one in of_type(ACCOUNT_TYPE, ours=False)
        ),
        gateways=tuple(one["id"] for one in of_type(GATEWAY_TYPE)),
        vaults=tuple(one["id"] for one in of_type(VAULT_TYPE)),
        principals=tuple(one["properties"]["principalId"] for one in identities),
    )


def read_outside(environment: Environment, *, azure: Azure, principals: Iterable[str]) -> Outside:
    """What the person has no right to read is told. Raises AzureError for anything else."""
    reading = _Reading(environment, azure)
    assignments = [
        one
        for subscription in environment.subscriptions
        for principal in principals
        for one in reading.assignments(subscription, principal)
    ]
    # accounts that the inputs no longer name: the identity still has a role there
    touched = [one.scope for one in assignments if is_account(one.scope)]
    accounts = distinct([*environment.accounts, *touched])
    places = distinct("/".join(one.split("/")[:5]) for one in accounts)
    ours, others = reading.rules(places)
    tagged, untagged = reading.deployments(accounts)
    return Outside(
        assignments=tuple(assignments),
        rules=tuple(ours),
        other_rules=tuple(others),
        tagged=tuple(tagged),
        untagged=tuple(untagged),
        unread=tuple(reading.unread),
    )


class _Reading:
    def __init__(self, environment: Environment, azure: Azure) -> None:
        self._environment = environment
        self._azure = azure
        self.unread: list[str] = []

    def assignments(self, subscription: str, principal: str) -> list[Assignment]:
        """Of one identity of ours, outside the own groups."""
        found = self._read(
            f"role assignments of the identity {principal} in the subscription {subscription}",
            lambda: self._azure.in_subscription(subscription).listed(
                f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleAssignments",
                api_version=ROLES_API,
                query={"$filter": f"principalId eq '{principal}'"},
            ),
        )
        return [
            Assignment(
                id=one["id"],
                role=_role(str(one["properties"].get("roleDefinitionId"))),
                scope=str(one["properties"].get("scope")),
                principal=principal,
            )
            for one in found
            # above the subscription the assignment is not of this environment's making
            if one["id"].lower().startswith("/subscriptions/")
            and str(one["properties"].get("principalId")).lower() == principal.lower()
            and not inside(one["id"], self._environment.group_ids)
        ]

    def rules(self, places: Iterable[str]) -> tuple[list[str], list[str]]:
        """Alert rules whose action group is ours: (ours, those that call another one as well). A
        rule that calls nothing but our action group calls nothing when the group is gone."""
        ours: list[str] = []
        others: list[str] = []
        for place in places:
            azure = self._azure.in_subscription(place.split("/")[2])
            for one in self._read(
                f"alert rules in {place}",
                lambda azure=azure, place=place: azure.listed(  # type: ignore[misc]
                    f"{place}/providers/Microsoft.Insights/metricAlerts", api_version=RULES_API
                ),
            ):
                called = [
                    inside(str(action.get("actionGroupId")), self._environment.group_ids)
                    for action in one.get("properties", {}).get("actions") or []
                ]
                if any(called):
                    mine = all(called) or self._environment.tagged(one.get("tags"))
                    (ours if mine else others).append(one["id"])
        return ours, others

    def deployments(self, accounts: Iterable[str]) -> tuple[list[OnAccount], list[OnAccount]]:
        """(tagged as ours, untagged ones that this environment was asked to create)."""
        tagged, untagged = [], []
        for account in accounts:
            for one in self._read(
                f"deployments of {account}",
                lambda account=account: self._azure.deployments(account),  # type: ignore[misc]
            ):
                if is_ours(self._environment, one, groups=self._environment.group_ids):
                    tagged.append(OnAccount(account, one))
                elif self._is_asked_for(account, one):
                    untagged.append(OnAccount(account, one))
        return tagged, untagged

    def _is_asked_for(self, account: str, one: Deployment) -> bool:
        return (
            account in self._environment.accounts[:1]
            and one.name in self._environment.asked_for
            and not one.tags.keys() & {ENVIRONMENT_TAG, GROUP_TAG}
        )

    def _read(self, what: str, read: Callable[[], list[Any]]) -> list[Any]:
        try:
            return read()
        except NotFound:
            return []
        except (Forbidden, NotLoggedIn):
            self.unread.append(what)
            return []


def is_ours(environment: Environment, one: Deployment, *, groups: Iterable[str]) -> bool:
    return any(one.is_ours(environment=environment.name, group_id=group) for group in groups)


def _role(definition: str) -> str:
    """Its name, by infra/roles.json."""
    known = json.loads((ROOT / "infra" / "roles.json").read_text(encoding="utf-8"))
    names = {str(value): str(name) for name, value in known.items()}
    last = definition.rpartition("/")[2]
    return names.get(last, last)


def account_of(deployment_id: str) -> str:
    """The id of a deployment's account."""
    return deployment_id[: deployment_id.lower().rindex("/deployments/")]


def subscription_of(resource_id: str) -> str:
    return resource_id.split("/")[2]
