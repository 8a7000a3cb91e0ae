"""Before anything is created: is what was asked for complete, and is what it costs meant?

The templates refuse the same mistakes. Here they are all told at once, in words, before a minute of
waiting, and with the command that mends them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.scripts.tools import ROOT, HookError, is_true, main, run

ACCOUNT = re.compile(
    r"(?i)^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+"
    r"/providers/Microsoft\.CognitiveServices/accounts/[^/]+$"
)
PTU = re.compile(r"^[^:,]+:[^:,]+:[1-9]\d*(:[^:,]+)?$")
SPILLOVER = re.compile(r"^[^:,]+:[^:,]+:[1-9]\d*(:[1-9]\d*)?$")

USD_PER_PTU_HOUR = {
    "GlobalProvisionedManaged": 1.0,
    "DataZoneProvisionedManaged": 1.1,
    "ProvisionedManaged": 2.0,
}
"""List prices of autumn 2025, without a reservation: the order of magnitude, not an offer."""
HOURS_PER_MONTH = 730


@dataclass(frozen=True)
class Purchase:
    """PTUs that are to be created. They are billed by the hour until they are deleted."""

    count: int
    model: str
    sku: str

    @property
    def usd_per_month(self) -> float:
        return self.count * USD_PER_PTU_HOUR[self.sku] * HOURS_PER_MONTH

    def __str__(self) -> str:
        return (
            f"{self.count} PTUs of {self.model} ({self.sku}) cost about "
            f"{self.usd_per_month:,.0f} USD a month by list price, from the minute they are "
            "created until they are deleted, whether they work or not."
        )


def problems(env: Mapping[str, str], *, models: Mapping[str, Any]) -> list[str]:
    """All that is wrong with the inputs, each with what to do."""
    return [
        *_account(env),
        *_deployments(env),
        *_purchase(env, models),
        *_network(env),
        *_others(env),
    ]


def purchase(env: Mapping[str, str]) -> Purchase | None:
    """What is going to be bought, if anything is and its count is stated."""
    count = _count(env)
    if not is_true(env.get("CREATE_PTU_DEPLOYMENT")) or not count:
        return None
    return Purchase(count=count, model=_model(env), sku=_sku(env))


def _account(env: Mapping[str, str]) -> list[str]:
    account = env.get("OPENAI_RESOURCE_ID", "")
    if is_true(env.get("CREATE_OPENAI_ACCOUNT")):
        if not is_true(env.get("CREATE_PTU_DEPLOYMENT")):
            return [
                "CREATE_OPENAI_ACCOUNT makes an account with nothing on it: set "
                "CREATE_PTU_DEPLOYMENT as well, or OPENAI_RESOURCE_ID of one that exists."
            ]
        return []
    if not account:
        return [
            "Which Azure OpenAI account is to be filled?\n"
            "    azd env set OPENAI_RESOURCE_ID "
            "$(az cognitiveservices account show -g GROUP -n NAME --query id -o tsv)"
        ]
    if not ACCOUNT.match(account):
        return [
            f"OPENAI_RESOURCE_ID is {account!r}, which is no resource id of an account: "
            "/subscriptions/…/resourceGroups/…/providers/Microsoft.CognitiveServices/"
            "accounts/NAME"
        ]
    return []


def _deployments(env: Mapping[str, str]) -> list[str]:
    found = []
    named = _listed(env, "PTU_DEPLOYMENTS")
    if not named and not is_true(env.get("CREATE_PTU_DEPLOYMENT")):
        found.append(
            "Which PTU deployments are to be filled? name:model:ptus, such as\n"
            "    azd env set PTU_DEPLOYMENTS gpt-4.1-ptu:gpt-4.1:50"
        )
    found += [
        f"PTU_DEPLOYMENTS has {one!r}, which is not name:model:ptus or name:model:ptus:spillover"
        for one in named
        if not PTU.match(one)
    ]
    spillover = _listed(env, "PTU_SPILLOVER_DEPLOYMENTS")
    found += [
        f"PTU_SPILLOVER_DEPLOYMENTS has {one!r}, which is not name:model:tpm or name:model:tpm:rpm"
        for one in spillover
        if not SPILLOVER.match(one)
    ]
    known = {one.split(":")[0] for one in spillover} | {"payg"}
    found += [
        f"PTU_DEPLOYMENTS lets {one.split(':')[0]} spill over to {one.split(':')[3]}, which "
        "PTU_SPILLOVER_DEPLOYMENTS does not have"
        for one in named
        if PTU.match(one) and one.count(":") == 3 and one.split(":")[3] not in known
    ]
    return found


def _purchase(env: Mapping[str, str], models: Mapping[str, Any]) -> list[str]:
    if not is_true(env.get("CREATE_PTU_DEPLOYMENT")):
        return []
    model, sku, count = _model(env), _sku(env), _count(env)
    if sku not in USD_PER_PTU_HOUR:
        return [f"PTU_SKU is {sku!r}; there are {', '.join(USD_PER_PTU_HOUR)}"]
    if model not in models:
        return [
            f"PTU_MODEL is {model!r}, which infra/ptu-models.json lacks: add its line from "
            "Microsoft's sizing page"
        ]
    size = models[model]["regional" if sku == "ProvisionedManaged" else "wide"]
    least, step = size["minimum"], size["increment"]
    example = Purchase(count=least, model=model, sku=sku)
    if count is None:
        return [f"PTU_COUNT is {env.get('PTU_COUNT')!r}, which is no number"]
    if not count:
        return [
            f"CREATE_PTU_DEPLOYMENT needs a count, which is never guessed. {example}\n"
            f"    azd env set PTU_COUNT {least}"
        ]
    if count < least or (count - least) % step:
        return [
            f"PTU_COUNT is {count}; {model} ({sku}) comes from {least} PTUs on, in steps of {step}"
        ]
    return []


def _network(env: Mapping[str, str]) -> list[str]:
    if is_true(env.get("INBOUND_PRIVATE")) and not is_true(env.get("VNET_ENABLED")):
        return [
            "INBOUND_PRIVATE closes the app to all but a network that there is not: set "
            "VNET_ENABLED as well"
        ]
    return []


def _others(env: Mapping[str, str]) -> list[str]:
    found = []
    days = env.get("HUB_RETENTION_DAYS") or "7"
    standard = (env.get("EVENT_HUBS_SKU") or "Standard") == "Standard"
    if standard and (not days.isdigit() or int(days) > 7):
        found.append(f"HUB_RETENTION_DAYS is {days}; the Standard tier keeps events for 7 at most")
    if env.get("ALERT_AUTHENTICATION") == "entra" and not env.get("ALERT_AUDIENCE"):
        found.append(
            "ALERT_AUTHENTICATION=entra needs an application in the directory:\n"
            "    python3 -m infra.scripts.secure_webhook"
        )
    if is_true(env.get("API_MANAGEMENT")) and not env.get("API_MANAGEMENT_PUBLISHER_EMAIL"):
        found.append(
            "API_MANAGEMENT needs an address that its notices go to:\n"
            "    azd env set API_MANAGEMENT_PUBLISHER_EMAIL you@example.com"
        )
    return found


def _listed(env: Mapping[str, str], name: str) -> list[str]:
    return [one.strip() for one in env.get(name, "").split(",") if one.strip()]


def _count(env: Mapping[str, str]) -> int | None:
    text = env.get("PTU_COUNT") or "0"
    return int(text) if text.isdigit() else None


def _model(env: Mapping[str, str]) -> str:
    return env.get("PTU_MODEL") or "gpt-4.1"


def _sku(env: Mapping[str, str]) -> str:
    return env.get("PTU_SKU") or "GlobalProvisionedManaged"


def confirm(bought: Purchase, env: Mapping[str, str]) -> None:
    """Once for each count. Raises HookError unless somebody has said that it is meant."""
    count = str(bought.count)
    if env.get("PTU_COUNT_CONFIRMED") == count:
        return
    print(f"\n{bought}")
    if not sys.stdin.isatty():
        raise HookError(f"If that is meant: azd env set PTU_COUNT_CONFIRMED {count}")
    if input("Type the number of PTUs once more to create them: ").strip() != count:
        raise HookError("Nothing was created.")
    run(["azd", "env", "set", "PTU_COUNT_CONFIRMED", count])


def hook(env: Mapping[str, str]) -> None:
    models = json.loads((ROOT / "infra" / "ptu-models.json").read_text(encoding="utf-8"))
    found = problems(env, models=models)
    if found:
        raise HookError("Nothing was created yet:\n- " + "\n- ".join(found))
    bought = purchase(env)
    if bought is not None:
        confirm(bought, env)


if __name__ == "__main__":
    sys.exit(main(hook))
