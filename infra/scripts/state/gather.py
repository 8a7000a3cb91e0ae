"""What is there in Azure, before anything is created."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.scripts.azure import (
    Azure,
    AzureError,
    Deployment,
    Forbidden,
    NotFound,
    NotLoggedIn,
    group_id,
    parts,
)
from infra.scripts.inputs import Inputs, mend
from infra.scripts.inputs.account import ACCOUNT, group_name
from infra.scripts.inputs.further import Further, named
from infra.scripts.tools import HookError, is_true


@dataclass
class FurtherAccount:
    """What `az` answered about an account beside the first. None: it is not there, or unread."""

    account: Any = None
    tenant: str = ""
    deployments: list[Deployment] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    """`account`, `deployments`, as in `Situation`."""


@dataclass
class Situation:
    """What `az` answered. None: it is not there, or it could not be read. `unread` has the names
    of the fields that could not be read, so that nobody takes them for empty."""

    tenant: str = ""
    group: Any = None
    noted_group: Any = None
    """Where the environment was provisioned last, if that is another group than now."""
    account: Any = None
    account_tenant: str = ""
    deployments: list[Deployment] = field(default_factory=list)
    """Of the account of now."""
    earlier: list[Deployment] = field(default_factory=list)
    """Of the account of the last provisioning, if that is another one."""
    further: dict[str, FurtherAccount] = field(default_factory=dict)
    """By the label of the account."""
    deleted_vaults: list[Any] = field(default_factory=list)
    deleted_accounts: list[Any] = field(default_factory=list)
    app_provider: str = ""
    """Registration state of Microsoft.App."""
    unread: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """Where the environment is, and was."""

    subscription: str
    group: str
    location: str
    account: str
    """Resource id of the account of now; empty: it does not exist yet, or its id is no id."""
    earlier_account: str
    noted_subscription: str
    noted_group: str
    further: tuple[Further, ...] = ()

    @property
    def group_id(self) -> str:
        return group_id(self.subscription, self.group)


def place(inputs: Inputs) -> Place:
    subscription = inputs.text("AZURE_SUBSCRIPTION_ID")
    before = inputs.text("AZURE_OPENAI_RESOURCE_ID")
    before = before if ACCOUNT.match(before) else ""
    account = inputs.text("OPENAI_RESOURCE_ID")
    if is_true(inputs.text("CREATE_OPENAI_ACCOUNT")):
        own = group_id(subscription, group_name(inputs)).lower() + "/"
        account = before if before.lower().startswith(own) else ""
    account = account if ACCOUNT.match(account) else ""
    return Place(
        subscription=subscription,
        group=group_name(inputs),
        location=inputs.text("AZURE_LOCATION"),
        account=account,
        earlier_account=before if before.lower() != account.lower() else "",
        noted_subscription=inputs.text("PROVISIONED_SUBSCRIPTION_ID", subscription),
        # an environment of an older release has no note, but its output
        noted_group=inputs.text("PROVISIONED_RESOURCE_GROUP", inputs.text("AZURE_RESOURCE_GROUP")),
        further=tuple(named(inputs)),
    )


def no_place(inputs: Inputs) -> list[str]:
    """`azd provision` asks for the subscription and the region after this hook only; `azd up` asks
    before it."""
    return [
        f"{name} is not set, so nothing can be asked of Azure yet\n    azd env set {name} {what}"
        for name, what in (
            ("AZURE_SUBSCRIPTION_ID", "$(az account show --query id -o tsv)"),
            ("AZURE_LOCATION", "swedencentral"),
        )
        if not inputs.text(name)
    ]


def gather(inputs: Inputs, azure: Azure) -> Situation:
    """Ask `az` for all of it. Nothing is raised: what went wrong is among the problems."""
    found = Situation()
    here = place(inputs)
    try:
        found.tenant = str((azure.ask("account", "show") or {}).get("tenantId", ""))
        # the first call that needs a token: `account show` reads a file
        found.group = _read(found, "group", here.group, lambda: azure.group(here.group))
    except Forbidden:
        found.problems.append(_no_subscription(here, inputs))
        return found
    except NotLoggedIn as error:
        found.problems.append(_no_login(inputs, error))
        return found
    except HookError as error:
        # az is missing, or cannot answer at all
        found.problems.append(str(error))
        return found
    try:
        _rest(found, inputs, here, azure)
    except NotLoggedIn as error:
        # a subscription of another tenant, or rules that ask for more than this login has
        found.problems.append(_no_login(inputs, error))
    return found


def _rest(found: Situation, inputs: Inputs, here: Place, azure: Azure) -> None:
    if here.noted_group and not _same_place(here):
        noted = azure.in_subscription(here.noted_subscription)
        found.noted_group = _read(
            found, "noted_group", here.noted_group, lambda: noted.group(here.noted_group)
        )
    if here.account:
        found.account = _read(found, "account", here.account, lambda: azure.account(here.account))
        if found.account is not None:
            found.deployments = (
                _read(
                    found,
                    "deployments",
                    f"the deployments of {here.account}",
                    lambda: azure.deployments(here.account),
                )
                or []
            )
        found.account_tenant = _tenant_of(found, here, here.account, azure)
    for one in here.further:
        found.further[one.label] = _further(found, here, one, azure)
    if here.earlier_account:
        found.earlier = (
            _read(
                found,
                "earlier",
                f"the deployments of {here.earlier_account}",
                lambda: azure.deployments(here.earlier_account),
            )
            or []
        )
    found.deleted_vaults = (
        _read(
            found,
            "deleted_vaults",
            "deleted Key Vaults",
            lambda: azure.ask("keyvault", "list-deleted", "--resource-type", "vault"),
        )
        or []
    )
    if is_true(inputs.text("CREATE_OPENAI_ACCOUNT")) and not here.account:
        found.deleted_accounts = (
            _read(
                found,
                "deleted_accounts",
                "deleted accounts",
                lambda: azure.ask("cognitiveservices", "account", "list-deleted"),
            )
            or []
        )
    if is_true(inputs.text("VNET_ENABLED")):
        provider = _read(
            found,
            "app_provider",
            "the provider Microsoft.App",
            lambda: azure.ask("provider", "show", "--namespace", "Microsoft.App"),
        )
        found.app_provider = str((provider or {}).get("registrationState", ""))


def _further(found: Situation, here: Place, one: Further, azure: Azure) -> FurtherAccount:
    there = FurtherAccount()
    unread = f"{one.label} account", f"{one.label} deployments"
    there.account = _read(found, unread[0], one.id, lambda: azure.account(one.id))
    if there.account is not None:
        there.deployments = (
            _read(
                found,
                unread[1],
                f"the deployments of {one.id}",
                lambda: azure.deployments(one.id),
            )
            or []
        )
        there.tenant = _tenant_of(found, here, one.id, azure)
    there.unread = {name.rpartition(" ")[2] for name in unread if name in found.unread}
    return there


def _tenant_of(found: Situation, here: Place, account: str, azure: Azure) -> str:
    subscription = parts(account)[0]
    if subscription.lower() == here.subscription.lower():
        return found.tenant
    try:
        shown = azure.in_subscription(subscription).ask("account", "show")
    except AzureError:
        # told already where the account could not be read
        return ""
    return str((shown or {}).get("tenantId", ""))


def _same_place(here: Place) -> bool:
    return (here.noted_subscription.lower(), here.noted_group.lower()) == (
        here.subscription.lower(),
        here.group.lower(),
    )


def _read(found: Situation, name: str, what: str, ask: Callable[[], Any]) -> Any:
    """An answer, or None with a word of why."""
    try:
        return ask()
    except NotFound:
        return None
    except Forbidden as error:
        found.unread.add(name)
        found.told.append(f"Not checked, for want of rights: {what}. {error}")
    except NotLoggedIn:
        raise
    except AzureError as error:
        found.unread.add(name)
        found.problems.append(f"{what} could not be read; try again. {error}")
    return None


def _no_login(inputs: Inputs, error: HookError) -> str:
    tenant = inputs.text("AZURE_TENANT_ID")
    return (
        "The Azure CLI has no login that is good for this subscription; the hooks need one beside "
        f"azd's\n    az login{f' --tenant {tenant}' if tenant else ''}\n  {error}"
    )


def _no_subscription(here: Place, inputs: Inputs) -> str:
    tenant = inputs.text("AZURE_TENANT_ID", "TENANT")
    return (
        f"The Azure CLI does not know the subscription {here.subscription}: log in to the tenant "
        f"that it belongs to, as for azd\n    az login --tenant {tenant}\n  or take another one"
        + mend("AZURE_SUBSCRIPTION_ID", "ID").replace("'", "")
    )
