"""What predown tells: what will go, what stays, and what goes on costing."""

from __future__ import annotations

from collections.abc import Iterable

from infra.scripts.azure import Deployment
from infra.scripts.down_env import Environment, delete_command
from infra.scripts.down_reads import Group, Outside
from infra.scripts.down_record import Record


def told(
    asked: Environment,
    group: Group,
    outside: Outside,
    *,
    there: Iterable[str],
    record: Record,
) -> list[str]:
    """What will go, what is asked about afterwards, what stays and what it costs."""
    names = ", ".join(there)
    return [
        f"\nazd down of the environment {asked.name}",
        *_section("Will go", _goes(names, group, outside, record)),
        *_section(
            "Will be asked about when the group is gone",
            [
                *(
                    f"deployment {one.deployment.name} on {one.account.rpartition('/')[2]}: "
                    f"{size(one.deployment)}"
                    for one in outside.tagged
                ),
                *(
                    f"purging {one.rpartition('/')[2]}, which Azure keeps for a while"
                    for one in [*record.accounts, *record.gateways]
                ),
            ],
        ),
        *_section("Will stay", _stays(asked, group, outside, gone=not names)),
        *_section(
            "Will go on costing until you delete it",
            [
                f"deployment {one.deployment.name} on {one.account.rpartition('/')[2]}: "
                f"{size(one.deployment)}. It has no tag of this environment, so it is not "
                f"deleted here:\n    {delete_command(one.account, one.deployment.name)}"
                for one in outside.untagged
            ],
        ),
        *_section("Could not be read, for lack of rights, and may stay", outside.unread),
    ]


def _goes(names: str, group: Group, outside: Outside, record: Record) -> list[str]:
    lines = [
        f"resource group {names} with {group.resources} resources: all requests and results"
        if names
        else "no resource group: it is gone already"
    ]
    for account in group.accounts:
        lines += [
            f"deployment {one.name} on {account.name}: {size(one)}" for one in account.deployments
        ]
        if not account.ours and account.deployments:
            lines.append(
                f"{account.name} is in the group, but not of this environment. azd deletes it all "
                "the same, and Azure bills its PTUs until it is purged. Move it, or delete its "
                "deployments first."
            )
    known = {one.id.lower() for one in outside.assignments}
    lines += [f"role {one.role} on {one.scope}" for one in outside.assignments]
    lines += [
        f"role assignment {one}" for one in record.role_assignments if one.lower() not in known
    ]
    return lines + [f"alert rule {one.rpartition('/')[2]}" for one in record.alert_rules]


def _stays(asked: Environment, group: Group, outside: Outside, *, gone: bool) -> list[str]:
    lines = []
    if gone:
        lines.append(
            "role assignments of identities that went with the group, unless an earlier run "
            "recorded them. Among these, whose principal is gone:\n    "
            f"az role assignment list --all --subscription {asked.subscription} "
            "--query \"[?principalName=='']\""
        )
    lines += [
        f"key vault {one.rpartition('/')[2]}: recoverable for 90 days, costs nothing"
        for one in group.vaults
    ]
    lines += [
        f"alert rule {one}: it calls an action group that goes, but it is not tagged as this "
        "environment's"
        for one in outside.other_rules
    ]
    lines += [
        f"account {one.rpartition('/')[2]}, with all deployments that this environment did not make"
        for one in asked.accounts
    ]
    if asked.webhook:
        lines.append(
            f"the application of the alert webhook:\n    az ad app delete --id {asked.webhook}"
        )
    return lines


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"  - {one}" for one in lines]
    return [f"{title}:", *found] if found else []


def size(one: Deployment) -> str:
    """Such as "50 PTUs of gpt-4.1 (GlobalProvisionedManaged), about 36,500 USD a month"."""
    unit = "PTUs" if one.is_provisioned else "thousand tokens a minute"
    return f"{one.capacity} {unit} of {one.model} ({one.sku}), {one.price}"
