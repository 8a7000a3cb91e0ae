"""Before `azd down` deletes anything: what will go, what stays, what goes on costing.

azd deletes a resource group. What this environment has outside of it, azd does not know. An account
in it is kept by Azure for a while, and its PTUs are billed until it is purged: so its deployments
are deleted here. The ids of what is outside are written down for after_down.py.

This goes by inputs alone, since outputs may be missing. An error ends azd down.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.scripts import down_record
from infra.scripts.azure import DEPLOYMENTS_API, Azure, AzureError
from infra.scripts.down_env import (
    CONFIRMED,
    SKIP,
    Environment,
    delete_command,
    environment,
)
from infra.scripts.down_reads import Account, Group, Outside, read_group, read_outside
from infra.scripts.down_record import Record
from infra.scripts.down_told import size, told
from infra.scripts.questions import Terminal, confirmed
from infra.scripts.tools import ROOT, HookError, main

Say = Callable[[str], None]


def told_at_once(line: str) -> None:
    """What follows may take minutes."""
    print(line, flush=True)


def before_down(
    env: Mapping[str, str],
    *,
    azure: Azure,
    root: Path = ROOT,
    where: Terminal | None = None,
    sleep: Callable[[float], None] = time.sleep,
    say: Say = told_at_once,
) -> None:
    """Raises HookError, which ends azd down."""
    asked = environment(env)
    file = down_record.path(root, asked.name)
    earlier = down_record.load(file)
    with naming_the_way_out():
        there = own_groups(asked, azure=azure)
    refuse_foreign(asked, there)
    with naming_the_way_out():
        group = read_group(asked, azure=azure, names=there)
        outside = read_outside(asked, azure=azure, principals=group.principals)
    record = record_of(asked, group, outside).with_earlier(earlier)
    for one in earlier.ids if not record.is_of(earlier) else ():
        say(f"Recorded by an earlier run for another resource group, and not touched: {one}")
    for line in told(asked, group, outside, there=there, record=record):
        say(line)
    delete_deployments(
        [one for one in group.accounts if one.ours and one.deployments],
        environment=asked,
        env=env,
        azure=azure,
        where=where,
        sleep=sleep,
        say=say,
    )
    down_record.save(file, record)


@contextmanager
def naming_the_way_out() -> Iterator[None]:
    """Without `az`, a login or rights nothing is known of the group, so nothing may be deleted."""
    try:
        yield
    except HookError as error:
        raise HookError(f"{error}\nNothing was deleted. {SKIP}") from None


def own_groups(asked: Environment, *, azure: Azure) -> dict[str, Mapping[str, str]]:
    """Tags of the groups that exist, by name. Raises AzureError."""
    found = {name: azure.group(name) for name in asked.groups}
    return {name: one.get("tags") or {} for name, one in found.items() if one is not None}


def refuse_foreign(asked: Environment, there: Mapping[str, Mapping[str, str]]) -> None:
    """Raises HookError for a group that another, or a person, has made."""
    for name, tags in there.items():
        if not asked.tagged(tags):
            raise HookError(
                f"The resource group {name} has no tag azd-env-name={asked.name}, so it is not "
                "this environment's, and azd down would delete all of it. Nothing was deleted.\n"
                "Look at AZURE_ENV_NAME, AZURE_SUBSCRIPTION_ID and AZURE_RESOURCE_GROUP_NAME "
                "(azd env get-values)."
            )


def record_of(asked: Environment, group: Group, outside: Outside) -> Record:
    return Record(
        groups=asked.group_ids,
        role_assignments=tuple(one.id for one in outside.assignments),
        alert_rules=outside.rules,
        deployments=tuple(one.deployment.id for one in outside.tagged),
        accounts=tuple(one.id for one in group.accounts if one.ours),
        gateways=group.gateways,
    )


# --- deployments of an account that goes with the group ------------------------------------------


def delete_deployments(
    accounts: list[Account],
    *,
    environment: Environment,
    env: Mapping[str, str],
    azure: Azure,
    where: Terminal | None,
    sleep: Callable[[float], None],
    say: Say,
) -> None:
    """Ask, delete, wait until Azure answers 404. The account itself is azd's. Raises HookError."""
    if not accounts:
        return
    lines = [f"  {one.name}: {size(one)}" for a in accounts for one in a.deployments]
    question = "\n".join(
        [
            "These deployments are deleted first, since Azure bills the PTUs of a deleted account "
            "until it is purged:",
            *lines,
            "If you then answer no to azd: azd provision --no-state",
        ]
    )
    try:
        meant = confirmed(
            question,
            word=environment.name,
            variable=CONFIRMED,
            value=environment.name,
            env=env,
            where=where,
        )
    except HookError as error:
        raise HookError(f"Nothing was deleted. {error}") from None
    if not meant:
        raise HookError("Nothing was deleted.")
    left = [(a.id, one) for a in accounts for one in a.deployments]
    while left:
        account, one = left[0]
        say(f"Deleting the deployment {one.name}.")
        try:
            azure.delete_deployment(account, one.name)
            gone = azure.wait_until_gone(one.id, api_version=DEPLOYMENTS_API, sleep=sleep)
            why = "Azure has not deleted it yet"
        except AzureError as error:
            gone, why = False, str(error)
        if not gone:
            raise HookError(
                f"{one.name} is not deleted: {why}\nStill billed:\n"
                + "\n".join(
                    f"- {d.name}: {size(d)}\n    {delete_command(a, d.name)}" for a, d in left
                )
                + "\nThe resource group was not touched. Run azd down again."
            )
        left.pop(0)


def hook(env: Mapping[str, str]) -> None:
    before_down(env, azure=Azure(environment(env).subscription))


if __name__ == "__main__":
    sys.exit(main(hook))
