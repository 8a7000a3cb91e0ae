"""What a person has to have said before anything is created: purchases, adoptions, a vault."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable
from typing import Any

from infra.scripts.azure import ENVIRONMENT_TAG, Azure
from infra.scripts.inputs import Inputs, mend
from infra.scripts.questions import Terminal
from infra.scripts.state.gather import Place, Situation, place
from infra.scripts.state.purchase import Plan
from infra.scripts.tools import HookError

VARIABLE = "PTU_PURCHASE_CONFIRMED"
HOURS = 24
"""How long an answer counts. A hook cannot see `--preview`, so an answer is not used up by one run;
and it must not buy again after weeks."""

SKEW_SECONDS = 300
"""By how much the clock of whoever answered may be ahead."""

STAMP = "%Y-%m-%dT%H:%MZ"

Keep = Callable[[str, str], None]
"""Keeps a variable in azd's environment."""


def wording(plan: Plan, here: Place) -> str:
    """All that is answered: account, name, model, version, SKU and count of each."""
    account = here.account or f"{here.group_id}/new-account"
    bought = [
        f"{account}/{one.asked.name}:{one.asked.model}:{one.asked.version}:{one.asked.sku}"
        f":{one.asked.capacity}"
        for one in plan.purchases
    ]
    adopted = [f"{account}/{one.now.name}:adopt" for one in plan.adoptions]
    return ",".join([*adopted, *bought])


def stamped(text: str, now: float) -> str:
    return f"{text}@{time.strftime(STAMP, time.gmtime(now))}"


def counts(answer: str, text: str, now: float) -> bool:
    """Whether the answer is one to exactly this, and not too old."""
    said, _, when = answer.rpartition("@")
    if said.lower() != text.lower():
        return False
    try:
        age = now - calendar.timegm(time.strptime(when, STAMP))
    except ValueError:
        return False
    return -SKEW_SECONDS <= age <= HOURS * 3600


def confirm(
    inputs: Inputs,
    plan: Plan,
    found: Situation,
    vault: Any,
    *,
    where: Terminal,
    now: float,
    keep: Keep,
) -> None:
    """Ask what is not answered yet. Raises HookError unless all of it is meant."""
    here = place(inputs)
    text = wording(plan, here)
    unanswered = bool(text) and not counts(inputs.text(VARIABLE), text, now)
    if not where.there:
        missing = []
        if unanswered:
            missing.append(_in_words(plan, found) + _by_variable(text, now))
        if vault is not None:
            missing.append(
                told_of(vault) + "".join(f"\n    {one}" for one in commands(inputs, found, vault))
            )
        if missing:
            raise HookError("Nothing was created yet:\n- " + "\n- ".join(missing))
        return
    if unanswered:
        print(f"\n{_in_words(plan, found)}", flush=True)
        for adopted in plan.adoptions:
            _typed(where, f"Type {adopted.now.name} to take it over: ", adopted.now.name)
        for bought in plan.purchases:
            _typed(
                where,
                f"Type the number of PTUs of {bought.asked.name} once more to pay for them: ",
                str(bought.asked.capacity),
            )
        keep(VARIABLE, stamped(text, now))
    if vault is not None:
        print(f"\n{told_of(vault)}", flush=True)
        environment = inputs.text("AZURE_ENV_NAME")
        _typed(where, f"Type {environment} to recover it: ", environment)


def _in_words(plan: Plan, found: Situation) -> str:
    lines = [*map(str, plan.adoptions), *map(str, plan.purchases)]
    if {"account", "deployments"} & found.unread:
        lines.append("Whether a deployment of that name exists could not be read.")
    return "\n".join(lines)


def _by_variable(text: str, now: float) -> str:
    return f"\n  If that is meant (the answer counts for {HOURS} hours):" + mend(
        VARIABLE, stamped(text, now)
    )


def _typed(where: Terminal, prompt: str, word: str) -> None:
    if where.typed(prompt) != word:
        raise HookError("Nothing was created.")


# --- the vault -----------------------------------------------------------------------------------


def told_of(vault: Any) -> str:
    until = str((vault.get("properties") or {}).get("scheduledPurgeDate", ""))[:10]
    return (
        f"The Key Vault {vault['name']} of this environment was deleted by `azd down` and keeps "
        f"its name{f' until {until}' if until else ''}, so a new one cannot be made. It is "
        "recovered with the key of request ids in it, and the ids that were given out are known "
        "again."
    )


def commands(inputs: Inputs, found: Situation, vault: Any) -> list[str]:
    """What `recover` does, for somebody who does it by hand."""
    here = place(inputs)
    made = (
        f"az group create --name {here.group} --location {here.location} --tags "
        f"{ENVIRONMENT_TAG}={inputs.text('AZURE_ENV_NAME')} --subscription {here.subscription}"
    )
    recovered = (
        f"az keyvault recover --name {vault['name']} --location {here.location} "
        f"--subscription {here.subscription}"
    )
    return [made, recovered] if _group_is_missing(found) else [recovered]


def recover(inputs: Inputs, found: Situation, vault: Any, azure: Azure) -> None:
    """The vault comes back into its group, which `azd down` has deleted. Raises HookError."""
    here = place(inputs)
    if _group_is_missing(found):
        azure.ask(
            "group", "create", "--name", here.group, "--location", here.location,
            "--tags", f"{ENVIRONMENT_TAG}={inputs.text('AZURE_ENV_NAME')}",
        )  # fmt: skip
    azure.ask("keyvault", "recover", "--name", vault["name"], "--location", here.location)
    print(f"Recovered the Key Vault {vault['name']}.", flush=True)


def _group_is_missing(found: Situation) -> bool:
    return found.group is None and "group" not in found.unread
