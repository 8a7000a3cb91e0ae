"""The account that is to be filled, and the deployments that are named on it."""

from __future__ import annotations

from infra.scripts.azure import Deployment, parts
from infra.scripts.inputs import Inputs, mend
from infra.scripts.inputs.deployments import PTUS, SPILLOVER, Named, read, written
from infra.scripts.state.gather import Place, Situation, place
from infra.scripts.tools import is_true

KINDS = ("OpenAI", "AIServices")
"""Kinds of account that carry deployments of models."""


def problems(inputs: Inputs, found: Situation) -> list[str]:
    here = place(inputs)
    if not here.account or is_true(inputs.text("CREATE_OPENAI_ACCOUNT")):
        return []
    if "account" in found.unread:
        return []
    if found.account is None:
        subscription, group, name = parts(here.account)
        return [
            f"There is no account {name} in the resource group {group} of {subscription}\n"
            f"    az cognitiveservices account list --subscription {subscription} "
            '--query "[].id" -o tsv\n    azd env set OPENAI_RESOURCE_ID ID'
        ]
    told = [*_account(found, here)]
    if "deployments" not in found.unread:
        there = {one.name: one for one in found.deployments}
        told += _ptus(inputs, there)
        told += _spillover(inputs, there)
    return told


def _account(found: Situation, here: Place) -> list[str]:
    subscription, group, name = parts(here.account)
    told = []
    kind = str(found.account.get("kind", ""))
    if kind and kind not in KINDS:
        told.append(
            f"The account {name} is of kind {kind}; deployments of models are on accounts of kind "
            f"{' or '.join(KINDS)}\n    azd env set OPENAI_RESOURCE_ID ID"
        )
    properties = found.account.get("properties") or {}
    if not properties.get("customSubDomainName"):
        told.append(
            f"The account {name} has no custom subdomain; tokens of the app's identity are "
            "accepted by an address of the account's own only\n"
            f"    az cognitiveservices account update --subscription {subscription} -g {group} "
            f"-n {name} --custom-domain {name.lower()}"
        )
    if found.account_tenant and found.tenant and found.account_tenant != found.tenant:
        told.append(
            f"The account {name} belongs to another tenant ({found.account_tenant}) than the "
            f"subscription of this environment ({found.tenant}): the app's identity cannot get a "
            "role there\n    azd env set OPENAI_RESOURCE_ID ID"
        )
    return told


def _ptus(inputs: Inputs, there: dict[str, Deployment]) -> list[str]:
    named, _ = read(inputs, PTUS)
    told = []
    for one in named:
        is_there = there.get(one.name)
        if is_there is None:
            offered = [_as_named(d) for d in there.values() if d.is_provisioned]
            told.append(_not_there(PTUS, one, "PTU deployments", offered))
        elif not is_there.is_provisioned:
            told.append(
                f"{PTUS} has {one.name}, which is no PTU deployment: its SKU is {is_there.sku}"
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


def _spillover(inputs: Inputs, there: dict[str, Deployment]) -> list[str]:
    named, _ = read(inputs, SPILLOVER)
    told = []
    for one in named:
        is_there = there.get(one.name)
        if is_there is None:
            offered = [_as_named(d) for d in there.values() if not d.is_provisioned]
            told.append(_not_there(SPILLOVER, one, "pay-as-you-go deployments", offered))
        elif is_there.is_provisioned:
            told.append(
                f"{SPILLOVER} has {one.name}, which is not paid by the token: its SKU is "
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


def _model(one: Named, is_there: Deployment) -> str:
    """The model's right name; a fine-tuned one bears that of its base in front."""
    actual = is_there.model
    fine_tuned = ".ft-" in actual and actual.lower().startswith(one.model.lower())
    return one.model if fine_tuned else actual


def _as_named(one: Deployment) -> str:
    size = one.capacity if one.is_provisioned else one.capacity * 1000
    return str(Named(one.name, one.model, size, None))


def _not_there(variable: str, one: Named, what: str, offered: list[str]) -> str:
    if not offered:
        return f"{variable} has {one.name}, which the account does not have; it has no {what}"
    return f"{variable} has {one.name}, which the account does not have; its {what} are" + mend(
        variable, ",".join(sorted(offered))
    )


def _without(named: list[Named], one: Named) -> str:
    return written([other for other in named if other is not one])


def _replaced(named: list[Named], one: Named, right: Named) -> str:
    return written([right if other is one else other for other in named])
