"""The accounts that are to be filled, and the deployments that are named on them."""

from __future__ import annotations

from typing import Any, NamedTuple

from infra.scripts.azure import Deployment, parts
from infra.scripts.inputs import Inputs, mend
from infra.scripts.inputs.deployments import PTUS, SPILLOVER, Named, read, written
from infra.scripts.inputs.further import BY_AZ, FURTHER
from infra.scripts.state.gather import Situation, place
from infra.scripts.tools import is_true

KINDS = ("OpenAI", "AIServices")
"""Kinds of account that carry deployments of models."""


class _Account(NamedTuple):
    """One account, as it was asked for and as it is."""

    id: str
    label: str
    """Empty: the first one."""
    account: Any
    tenant: str
    deployments: list[Deployment]
    unread: frozenset[str]

    @property
    def other(self) -> str:
        """The command that names another one."""
        if self.label:
            return f"\n    azd env set {FURTHER} {BY_AZ.replace('LABEL', self.label)}"
        return "\n    azd env set OPENAI_RESOURCE_ID ID"


def problems(inputs: Inputs, found: Situation) -> list[str]:
    return [problem for one in _accounts(inputs, found) for problem in _one(inputs, found, one)]


def _accounts(inputs: Inputs, found: Situation) -> list[_Account]:
    here = place(inputs)
    accounts = []
    if here.account and not is_true(inputs.text("CREATE_OPENAI_ACCOUNT")):
        unread = frozenset({"account", "deployments"} & found.unread)
        accounts.append(
            _Account(
                here.account, "", found.account, found.account_tenant, found.deployments, unread
            )
        )
    for one in here.further:
        there = found.further.get(one.label)
        if there is not None:
            accounts.append(
                _Account(
                    one.id,
                    one.label,
                    there.account,
                    there.tenant,
                    there.deployments,
                    frozenset(there.unread),
                )
            )
    return accounts


def _one(inputs: Inputs, found: Situation, one: _Account) -> list[str]:
    if "account" in one.unread:
        return []
    if one.account is None:
        subscription, group, name = parts(one.id)
        return [
            f"There is no account {name} in the resource group {group} of {subscription}\n"
            f"    az cognitiveservices account list --subscription {subscription} "
            f'--query "[].id" -o tsv{one.other}'
        ]
    told = [*_account(found, one)]
    if "deployments" not in one.unread:
        told += _ptus(inputs, one)
        told += _spillover(inputs, one)
    return told


def _account(found: Situation, one: _Account) -> list[str]:
    subscription, group, name = parts(one.id)
    told = []
    kind = str(one.account.get("kind", ""))
    if kind and kind not in KINDS:
        told.append(
            f"The account {name} is of kind {kind}; deployments of models are on accounts of kind "
            f"{' or '.join(KINDS)}{one.other}"
        )
    properties = one.account.get("properties") or {}
    if not properties.get("customSubDomainName"):
        told.append(
            f"The account {name} has no custom subdomain; tokens of the app's identity are "
            "accepted by an address of the account's own only\n"
            f"    az cognitiveservices account update --subscription {subscription} -g {group} "
            f"-n {name} --custom-domain {name.lower()}"
        )
    if one.tenant and found.tenant and one.tenant != found.tenant:
        told.append(
            f"The account {name} belongs to another tenant ({one.tenant}) than the "
            f"subscription of this environment ({found.tenant}): the app's identity cannot get a "
            f"role there{one.other}"
        )
    return told


def _ptus(inputs: Inputs, account: _Account) -> list[str]:
    named, _ = read(inputs, PTUS)
    there = {one.name: one for one in account.deployments}
    told = []
    for one in _on(account, named):
        is_there = there.get(one.in_azure)
        if is_there is None:
            offered = [_as_named(d, account) for d in there.values() if d.is_provisioned]
            told.append(_not_there(PTUS, one, "PTU deployments", offered, named))
        elif not is_there.is_provisioned:
            told.append(
                f"{PTUS} has {one.place}, which is no PTU deployment: its SKU is {is_there.sku}"
                + mend(PTUS, _without(named, one))
            )
        else:
            right = one._replace(model=_model(one, is_there), size=is_there.capacity)
            if right != one:
                told.append(
                    f"{PTUS} has {one}; the account has {is_there.capacity} PTUs of "
                    f"{is_there.model} there" + mend(PTUS, _replaced(named, one, right))
                )
    return told


def _spillover(inputs: Inputs, account: _Account) -> list[str]:
    named, _ = read(inputs, SPILLOVER)
    there = {one.name: one for one in account.deployments}
    told = []
    for one in _on(account, named):
        is_there = there.get(one.in_azure)
        if is_there is None:
            offered = [_as_named(d, account) for d in there.values() if not d.is_provisioned]
            told.append(_not_there(SPILLOVER, one, "pay-as-you-go deployments", offered, named))
        elif is_there.is_provisioned:
            told.append(
                f"{SPILLOVER} has {one.place}, which is not paid by the token: its SKU is "
                f"{is_there.sku}" + mend(SPILLOVER, _without(named, one))
            )
        else:
            tpm = min(one.size, is_there.capacity * 1000)
            right = one._replace(model=_model(one, is_there), size=tpm)
            if right != one:
                told.append(
                    f"{SPILLOVER} has {one}; the account has {is_there.model} there, with "
                    f"{is_there.capacity * 1000:,} tokens a minute"
                    + mend(SPILLOVER, _replaced(named, one, right))
                )
    return told


def _on(account: _Account, named: list[Named]) -> list[Named]:
    return [one for one in named if one.label == account.label]


def _model(one: Named, is_there: Deployment) -> str:
    """The model's right name; a fine-tuned one bears that of its base in front."""
    actual = is_there.model
    fine_tuned = ".ft-" in actual and actual.lower().startswith(one.model.lower())
    return one.model if fine_tuned else actual


def _as_named(one: Deployment, account: _Account) -> Named:
    size = one.capacity if one.is_provisioned else one.capacity * 1000
    return Named(one.name, one.model, size, None, label=account.label)


def _not_there(
    variable: str, one: Named, what: str, offered: list[Named], named: list[Named]
) -> str:
    if not offered:
        return f"{variable} has {one.place}, which the account does not have; it has no {what}"
    others = [other for other in named if other.label != one.label]
    taken = {other.name for other in others}
    right = [
        own._replace(name=f"{own.name}-{own.label}", deployment=own.name)
        if own.label and own.name in taken
        else own
        for own in sorted(offered, key=str)
    ]
    meant = [*others, *right] if one.label else [*right, *others]
    return f"{variable} has {one.place}, which the account does not have; its {what} are" + mend(
        variable, written(meant)
    )


def _without(named: list[Named], one: Named) -> str:
    return written([other for other in named if other is not one])


def _replaced(named: list[Named], one: Named, right: Named) -> str:
    return written([right if other is one else other for other in named])
