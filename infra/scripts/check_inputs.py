"""Before anything is created: is what was asked for complete, can it work, and is its price meant?

What would fail after ten minutes fails here, all at once, with the command that mends each. Rules
for the inputs alone are in infra/scripts/inputs, rules that need Azure's answers in
infra/scripts/state. Nothing that is not this environment's is changed.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.scripts.azure import Azure
from infra.scripts.inputs import (
    Inputs,
    account,
    app_settings,
    deployments,
    further,
    others,
    purchase,
    words,
)
from infra.scripts.questions import Terminal, terminal
from infra.scripts.state import account as account_state
from infra.scripts.state import answers, gather, group, services
from infra.scripts.state.purchase import plan
from infra.scripts.tools import ROOT, HookError, Runner, main, set_variable, start

INFRA = ROOT / "infra"
VARIABLE = re.compile(r"\$\{(\w+)(?::?[-=]([^}]*))?\}")
"""As azd replaces it in infra/main.parameters.json."""


def loaded(env: Mapping[str, str], *, file: Path = INFRA / "main.parameters.json") -> Inputs:
    """The inputs, with the tables of this repository. Raises HookError."""
    try:
        parameters = json.loads(file.read_text(encoding="utf-8"))
        given = _replaced(parameters["parameters"].get("settings", {}).get("value", {}), env)
        settings = json.loads(given or "{}") if isinstance(given, str) else given
    except (ValueError, KeyError) as error:
        raise HookError(f"infra/main.parameters.json cannot be read: {error}") from None
    if not isinstance(settings, dict):
        raise HookError('"settings" of infra/main.parameters.json must be an object')
    sizing = json.loads(
        (ROOT / "ptu_optimizer" / "capacity" / "models.json").read_text(encoding="utf-8")
    )
    flex = json.loads((INFRA / "flex-consumption.json").read_text(encoding="utf-8"))
    return Inputs(
        env=env,
        sizes=json.loads((INFRA / "ptu-models.json").read_text(encoding="utf-8")),
        known_models=frozenset(sizing["models"]),
        settings=settings,
        refused_settings=tuple(flex["appSettings"]),
    )


def _replaced(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: env.get(found[1]) or found[2] or "", value)
    if isinstance(value, dict):
        return {name: _replaced(one, env) for name, one in value.items()}
    return value


def problems(inputs: Inputs) -> list[str]:
    """All that is wrong with the inputs alone, each with what to do."""
    return [
        *account.problems(inputs),
        *further.problems(inputs),
        *deployments.problems(inputs),
        *purchase.problems(inputs),
        *words.problems(inputs),
        *others.problems(inputs),
        *app_settings.problems(inputs),
    ]


def check(
    inputs: Inputs,
    *,
    runner: Runner,
    where: Terminal,
    now: float,
    tell: Callable[[str], None],
) -> None:
    """All of preprovision. Raises HookError with everything that is wrong."""
    wrong = problems(inputs)
    told = [*others.told(inputs), *further.told(inputs), *deployments.unused_accounts(inputs)]
    nowhere = gather.no_place(inputs)
    if nowhere:
        raise HookError(_listed([*wrong, *nowhere]))
    azure = Azure(inputs.text("AZURE_SUBSCRIPTION_ID"), runner=runner)
    found = gather.gather(inputs, azure)
    planned = plan(inputs, found)
    wrong += [
        *found.problems,
        *group.problems(inputs, found),
        *account_state.problems(inputs, found),
        *services.problems(inputs, found),
        *planned.problems,
    ]
    for one in [*found.told, *told, *planned.told]:
        tell(one)
    if wrong:
        raise HookError(_listed(wrong))

    def keep(name: str, value: str) -> None:
        set_variable(inputs.env, name, value, runner=runner)

    vault = services.vault_to_recover(inputs, found)
    answers.confirm(inputs, planned, found, vault, where=where, now=now, keep=keep)
    # before anything is created: an interrupted provisioning must be known as this environment's
    for name, value in group.notes(inputs).items():
        keep(name, value)
    if vault is not None:
        answers.recover(inputs, found, vault, azure)


def _listed(wrong: list[str]) -> str:
    return "Nothing was created yet:\n- " + "\n- ".join(wrong)


def hook(env: Mapping[str, str]) -> None:
    check(
        loaded(env),
        runner=start,
        where=terminal(env),
        now=time.time(),
        tell=lambda text: print(f"Note: {text}\n", file=sys.stderr, flush=True),
    )


if __name__ == "__main__":
    sys.exit(main(hook))
