"""What would be created or changed on the account: is it ours, can it work, what does it cost?

A PUT on a deployment that exists changes its size and its model without asking.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from infra.scripts import prices
from infra.scripts.azure import ENVIRONMENT_TAG, GROUP_TAG, Deployment, parts
from infra.scripts.inputs import CREATED_SPILLOVER, Inputs, mend
from infra.scripts.inputs.deployments import PTUS, SPILLOVER
from infra.scripts.inputs.purchase import VERSION, Asked, asked
from infra.scripts.state.gather import Situation, place
from infra.scripts.tools import is_true


@dataclass(frozen=True)
class Purchase:
    """A deployment that is billed by the hour, made or changed."""

    asked: Asked
    now: Deployment | None
    """As it is; None: it does not exist, or could not be read."""

    def __str__(self) -> str:
        text = f"{self.asked}, {self.asked.price} by list price"
        if self.now is not None:
            text = (
                f"{self.asked.name}: from {self.now.capacity} to {self.asked.capacity}, that is "
                f"from {self.now.model} {self.now.version} ({self.now.sku}), {self.now.price}, to "
                f"{self.asked.model} {self.asked.version} ({self.asked.sku}), {self.asked.price} "
                "by list price"
            )
        return f"{text}, from that minute until it is deleted, whether it works or not."


@dataclass(frozen=True)
class Adoption:
    """A deployment without tags that an older release of this environment made."""

    now: Deployment

    def __str__(self) -> str:
        return (
            f"{self.now.name}: {self.now.capacity} of {self.now.model} ({self.now.sku}), "
            f"{self.now.price}. An older release of this environment seems to have made it. It "
            "gets the tags of this environment, which may change it and delete it from then on."
        )


@dataclass(frozen=True)
class Plan:
    """What has to be answered by a person, what is wrong, and what has to be known."""

    purchases: tuple[Purchase, ...] = ()
    adoptions: tuple[Adoption, ...] = ()
    problems: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def plan(inputs: Inputs, found: Situation) -> Plan:
    here = place(inputs)
    environment = inputs.text("AZURE_ENV_NAME")
    there = {one.name.lower(): one for one in found.deployments}
    purchases: list[Purchase] = []
    adoptions: list[Adoption] = []
    problems: list[str] = []
    told: list[str] = []
    for one in asked(inputs):
        now = there.get(one.name.lower())
        unread = bool({"account", "deployments"} & found.unread)
        if now is None:
            reasons = _cannot_be_made(inputs, one, found)
            (told if unread else problems).extend(reasons)
        elif _made_before(inputs, now):
            adoptions.append(Adoption(now))
        elif not now.is_ours(environment=environment, group_id=here.group_id):
            problems.append(_not_ours(inputs, one, now))
            continue
        if now is not None and _is_as_asked(one, now):
            continue
        if prices.is_provisioned(one.sku) or (now is not None and now.is_provisioned):
            purchases.append(Purchase(one, now))
    told += _left_over(inputs, found)
    return Plan(tuple(purchases), tuple(adoptions), tuple(problems), tuple(told))


def _is_as_asked(one: Asked, now: Deployment) -> bool:
    return (one.model, one.version, one.sku, one.capacity) == (
        now.model,
        now.version,
        now.sku,
        now.capacity,
    )


def _made_before(inputs: Inputs, now: Deployment) -> bool:
    """Releases before the tags: the outputs of this environment name the deployment."""
    if {ENVIRONMENT_TAG, GROUP_TAG} & now.tags.keys():
        return False
    before = inputs.text("AZURE_OPENAI_RESOURCE_ID").lower()
    if not before or not now.id.lower().startswith(f"{before}/"):
        return False
    names = set()
    for variable in ("DEPLOYMENTS", "SPILLOVER_DEPLOYMENTS"):
        try:
            names |= {one["name"] for one in json.loads(inputs.text(variable, "[]"))}
        except (ValueError, TypeError, KeyError):
            # not what an output looks like: then it says nothing
            continue
    return now.name in names


def _not_ours(inputs: Inputs, one: Asked, now: Deployment) -> str:
    is_ptu = one.name != CREATED_SPILLOVER
    owner = now.tags.get(ENVIRONMENT_TAG)
    whose = f"belongs to the environment {owner}" if owner else "this environment has not made"
    text = (
        f"The account has a deployment {now.name} ({now.capacity} of {now.model}, {now.sku}), "
        f"which {whose}: provisioning would change its size and model."
    )
    if is_ptu:
        return (
            f"{text} Take another name"
            + mend("PTU_DEPLOYMENT_NAME", f"{one.name}-{inputs.text('AZURE_ENV_NAME')}")
            + "\n  or fill the one that is there"
            + mend("CREATE_PTU_DEPLOYMENT", "false")
            + mend(PTUS, f"{now.name}:{now.model}:{now.capacity}")
        )
    return (
        f"{text} Use the one that is there"
        + mend("CREATE_SPILLOVER_DEPLOYMENT", "false")
        + mend(SPILLOVER, f"{now.name}:{now.model}:{now.capacity * 1000}")
    )


def _cannot_be_made(inputs: Inputs, one: Asked, found: Situation) -> list[str]:
    """Of a deployment that exists none of this matters: it works, or its owner knows."""
    if one.name == CREATED_SPILLOVER and is_true(inputs.text("CREATE_PTU_DEPLOYMENT")):
        # said of the PTU deployment, whose model it shares
        return []
    line: Any = inputs.sizes.get(one.model, {})
    other = mend("PTU_MODEL", "gpt-4.1") + mend("PTU_MODEL_VERSION", VERSION)
    by_hand = f", or make the deployment yourself and name it in {PTUS}"
    facts = [
        (line.get("responsesOnly"), ""),
        (line.get("notNew"), by_hand if "responsesOnly" not in line else ""),
        ((line.get("versions") or {}).get(one.version), ""),
    ]
    reasons = [
        f"PTU_MODEL is {one.model} {one.version}: {fact['because']} ({fact['source']}, "
        f"{fact['asOf']}). Take another model{more}{other}"
        for fact, more in facts
        if fact
    ]
    needed = (line.get("kind") or {}).get("name")
    kind = str((found.account or {}).get("kind", ""))
    if is_true(inputs.text("CREATE_OPENAI_ACCOUNT")) and found.account is None:
        kind = "OpenAI"
    if needed and kind and kind != needed:
        fact = line["kind"]
        reasons.append(
            f"PTU_MODEL is {one.model}: {fact['because']}, and this one is of kind {kind} "
            f"({fact['source']}, {fact['asOf']}). Take another account, or another model" + other
        )
    return reasons


def _left_over(inputs: Inputs, found: Situation) -> list[str]:
    """Deployments that we made and that nobody asks for any more: they are billed on."""
    here = place(inputs)
    environment = inputs.text("AZURE_ENV_NAME")
    names = {one.name.lower() for one in asked(inputs)}
    of_now = [one for one in found.deployments if one.name.lower() not in names]
    told = []
    for one in [*of_now, *found.earlier]:
        if one.is_ours(environment=environment, group_id=here.group_id):
            subscription, group, account = parts(one.id)
            told.append(
                f"This environment made the deployment {one.name} on {account} and no longer asks "
                f"for it: {one.capacity} of {one.model} ({one.sku}), {one.price}, until it is "
                f"deleted\n    az cognitiveservices account deployment delete --subscription "
                f"{subscription} -g {group} -n {account} --deployment-name {one.name}"
            )
    return told
