"""FURTHER_OPENAI_RESOURCES: accounts beside the first one, each by a label of the user's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from infra.scripts.azure import parts
from infra.scripts.inputs import Inputs, mend
from infra.scripts.inputs.account import ACCOUNT, lies_in_own_group
from infra.scripts.tools import is_true

FURTHER = "FURTHER_OPENAI_RESOURCES"
LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,18}[A-Za-z0-9])?")
"""It becomes part of the name of a private endpoint."""

BY_AZ = '"LABEL=$(az cognitiveservices account show -g GROUP -n NAME --query id -o tsv)"'


class Further(NamedTuple):
    """One account beside the first."""

    label: str
    id: str

    def __str__(self) -> str:
        return f"{self.label}={self.id}"


def read(text: str) -> tuple[list[Further], list[str]]:
    """The entries that are well formed, and the texts of those that are not."""
    good, bad = [], []
    for entry in text.split(",") if text else []:
        label, _, resource_id = (one.strip() for one in entry.partition("="))
        if LABEL.fullmatch(label) and ACCOUNT.match(resource_id):
            good.append(Further(label, resource_id))
        else:
            bad.append(entry.strip())
    return good, bad


def written(accounts: list[Further]) -> str:
    """As the variable has it."""
    return ",".join(str(one) for one in accounts)


def named(inputs: Inputs) -> list[Further]:
    """The accounts that are well described."""
    return read(inputs.text(FURTHER))[0]


def provisioned(env: Mapping[str, str]) -> list[str]:
    """Resource ids of the further accounts of the last provisioning, by its outputs."""
    found: dict[str, str] = {}
    for variable in ("DEPLOYMENTS", "SPILLOVER_DEPLOYMENTS"):
        try:
            entries = json.loads(env.get(variable) or "[]")
            ids = [str(one["resource_id"]) for one in entries if one.get("resource_id")]
        except (ValueError, TypeError, AttributeError):
            # not what an output looks like: then it says nothing
            continue
        found.update({one.lower(): one for one in ids if ACCOUNT.match(one)})
    return list(found.values())


def problems(inputs: Inputs) -> list[str]:
    good, bad = read(inputs.text(FURTHER))
    found = [
        f"{FURTHER} has {one!r}, which is not label=resource id; a label has letters, digits and "
        f"'-', 20 at most\n    azd env set {FURTHER} {BY_AZ}"
        for one in bad
    ]
    return [*found, *_twice(inputs, good), *_own_group(inputs, good), *_spelling(inputs, good)]


def told(inputs: Inputs) -> list[str]:
    """What is left on accounts that are no longer asked for."""
    first = inputs.text("OPENAI_RESOURCE_ID")
    now = [one.id.lower() for one in named(inputs)] + [first.lower()]
    read_by_the_app = {parts(one)[0] for one in now if ACCOUNT.match(one)}
    if is_true(inputs.text("CREATE_OPENAI_ACCOUNT")):
        read_by_the_app.add(inputs.text("AZURE_SUBSCRIPTION_ID").lower())
    principal = inputs.text("APP_PRINCIPAL_ID", "APP_PRINCIPAL_ID")
    found = []
    for one in provisioned(inputs.env):
        if one.lower() not in now:
            subscription, group, name = parts(one)
            scopes = [one]
            if subscription.lower() not in read_by_the_app:
                scopes.append(f"/subscriptions/{subscription}")
            deletions = "".join(
                f"\n    az role assignment delete --assignee {principal} --scope {scope} "
                f"--subscription {subscription}"
                for scope in scopes
            )
            found.append(
                f"{FURTHER} no longer has the account {name}. The app's roles on it and the alert "
                f"rules ptu-{inputs.text('AZURE_ENV_NAME')}-… in the resource group {group} stay, "
                f"and a later `azd down` may not find them. To delete them{deletions}\n"
                f"    az monitor metrics alert delete --subscription {subscription} -g {group} "
                "-n NAME"
            )
    return found


def _twice(inputs: Inputs, good: list[Further]) -> list[str]:
    first = "" if is_true(inputs.text("CREATE_OPENAI_ACCOUNT")) else "OPENAI_RESOURCE_ID"
    labels: set[str] = set()
    ids = {inputs.text(first).lower(): first} if first else {}
    found, kept = [], []
    for one in good:
        other = ids.get(one.id.lower())
        if one.label.lower() in labels:
            found.append(f"{FURTHER} has the label {one.label} twice")
        elif other is not None:
            found.append(f"{FURTHER} has as {one.label} the account that is {other} already")
        else:
            kept.append(one)
        labels.add(one.label.lower())
        ids.setdefault(one.id.lower(), one.label)
    return [problem + mend(FURTHER, written(kept)) for problem in found]


def _own_group(inputs: Inputs, good: list[Further]) -> list[str]:
    return [
        problem
        for one in good
        for problem in lies_in_own_group(inputs, f"{one.label} of {FURTHER}", one.id)
    ]


def _spelling(inputs: Inputs, good: list[Further]) -> list[str]:
    """As of the first account: another spelling would assign the same role a second time."""
    before = {one.lower(): one for one in provisioned(inputs.env)}
    right = [one._replace(id=_spelled(one.id, before.get(one.id.lower()))) for one in good]
    return [
        f"{FURTHER} spells the account {was.label} otherwise than the last provisioning did, so "
        "the same roles would be assigned a second time, which Azure refuses"
        + mend(FURTHER, written(right))
        for was, now in zip(good, right)  # noqa: B905 - `strict` is not in Python 3.9
        if was != now
    ]


def _spelled(now: str, before: str | None) -> str:
    return now if before is None or parts(now) == parts(before) else before
