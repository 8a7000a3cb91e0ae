"""The app's rules for each of its settings, as a copy that needs nothing but the standard library.

The originals are in ptu_optimizer/settings/, which needs packages that are not there yet when azd
runs its hooks. One table of good and bad values runs over both (tests/infra/azd/test_app_rules.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from infra.scripts.inputs.app_values import (
    COUNT,
    Check,
    Number,
    Text,
    Word,
    deployments,
    models,
    parsed,
    priority_limits,
    spillover_deployments,
)

GUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

REFERENCE = re.compile(r"(?i)^@Microsoft\.(KeyVault|AppConfiguration)\(")
"""App Service resolves such a value before the app sees it."""


def _request_id_key(text: str) -> str:
    """One key, or a JSON array of several."""
    if not text.startswith("["):
        return _one_key(text)
    try:
        keys = json.loads(text)
    except ValueError:
        return "is not JSON, though it begins with ["
    if not keys or not all(isinstance(key, str) for key in keys):
        return "must be one key, or a JSON array of keys"
    return next((what for key in keys if (what := _one_key(key))), "")


def _one_key(text: str) -> str:
    if text.startswith("replace-me"):
        return "is the example's text, which everybody knows"
    return Text(least=16)(text)


def _seconds(most: float | None = None) -> Number:
    return Number(gt=0, le=most)


# --- each setting ---------------------------------------------------------------------------------

URL = Text(r"^https?://")
SCHEDULE = Text(r"^\S+(\s+\S+){4,5}$")

RULES: dict[str, Check] = {
    "EVENT_HUBS": Text(r"(?is)(?=.*\bEndpoint=sb://).*\bSharedAccess(Key|Signature)="),
    "EVENT_HUBS__fullyQualifiedNamespace": Text(r"^[^/\s]+$"),
    "COSMOS": Text(r"(?is)(?=.*\bAccountEndpoint=https?://).*\bAccountKey="),
    "COSMOS__accountEndpoint": URL,
    "COSMOS_DATABASE": Text(),
    "AzureWebJobsStorage": Text(r"(?i)\b(AccountName=|BlobEndpoint=|UseDevelopmentStorage=true)"),
    "AzureWebJobsStorage__blobServiceUri": URL,
    "AZURE_CLIENT_ID": Text(),
    "AZURE_OPENAI_ENDPOINT": URL,
    "AZURE_OPENAI_API_KEY": Text(),
    "AZURE_OPENAI_API_VERSION": Text(),
    "AZURE_OPENAI_RESOURCE_ID": Text(r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"),
    "AZURE_MONITOR_ENDPOINT": URL,
    "DEPLOYMENTS": deployments,
    "SPILLOVER_DEPLOYMENTS": spillover_deployments,
    "MODELS": models,
    "REQUEST_ID_KEY": _request_id_key,
    "REQUEST_ID_KEY_URI": Text(r"^https://[^/\s]+/secrets/[0-9A-Za-z-]+/?$"),
    "MAX_ITEMS": Number(gt=0, le=100_000, whole=True),
    "MAX_BODY_BYTES": Number(gt=0, le=100_000_000, whole=True),
    "DEFAULT_DEADLINE_SECONDS": _seconds(),
    "HUB_RETENTION_SECONDS": _seconds(7_776_000),
    "SOON_SECONDS": Number(ge=0),
    "SPILLOVER_LEAD_SECONDS": _seconds(3_600),
    "CALL_LIMIT_SECONDS": _seconds(3_600),
    "WRITE_BUDGET_SECONDS": _seconds(3_600),
    "SKEW_SECONDS": _seconds(3_600),
    "HOLD_SECONDS": _seconds(3_600),
    "INVOCATION_BUDGET_SECONDS": _seconds(3_600),
    "MAX_FAILURES": COUNT,
    "MAX_CONCURRENT_CALLS": COUNT,
    "LOWER_LIMIT": Number(ge=0),
    "UPPER_LIMIT": Number(gt=0, le=1),
    "PRIORITY_LIMITS": priority_limits,
    "LIVE_TTL_SECONDS": _seconds(),
    "METRIC_TTL_SECONDS": _seconds(),
    "READING_EXCHANGE_SECONDS": _seconds(),
    "ALERT_EXPIRY_SECONDS": _seconds(86_400),
    "ALERT_AUTHENTICATION": Word(("key", "entra", "platform")),
    "ALERT_TENANT_ID": Text(GUID),
    "ALERT_AUDIENCE": Text(r"[^,\s]"),
    "ALERT_CALLER_APP_ID": Text(GUID),
    "GAUGE_SCHEDULE": SCHEDULE,
    "SWEEP_SCHEDULE": SCHEDULE,
}

REQUIRED = (
    "COSMOS_DATABASE",
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_RESOURCE_ID",
    "AZURE_MONITOR_ENDPOINT",
    "DEPLOYMENTS",
    "GAUGE_SCHEDULE",
    "SWEEP_SCHEDULE",
)

EITHER = (
    ("EVENT_HUBS", "EVENT_HUBS__fullyQualifiedNamespace"),
    ("COSMOS", "COSMOS__accountEndpoint"),
    ("AzureWebJobsStorage", "AzureWebJobsStorage__blobServiceUri"),
    ("REQUEST_ID_KEY_URI", "REQUEST_ID_KEY"),
)

DEFAULTS = {
    "DEFAULT_DEADLINE_SECONDS": "86400",
    "HUB_RETENTION_SECONDS": "604800",
    "CALL_LIMIT_SECONDS": "300",
    "WRITE_BUDGET_SECONDS": "30",
    "INVOCATION_BUDGET_SECONDS": "120",
    "LOWER_LIMIT": "0.2",
    "UPPER_LIMIT": "0.8",
    "ALERT_AUTHENTICATION": "key",
}
"""Of the settings that are compared with others."""

MOST_WORK_SECONDS = 5_280
"""What an invocation may need beside its wait for the turn to send."""


def problems(settings: Mapping[str, str], *, known_models: frozenset[str]) -> list[str]:
    """All that the app would refuse. Names are read without regard to case, an empty value counts
    as none, as the app reads them. A reference to a Key Vault is taken as good."""
    named = {name.upper(): name for name in RULES}
    values = {
        named[name.upper()]: value
        for name, value in settings.items()
        if name.upper() in named and value
    }
    found = [f"{name} is missing" for name in REQUIRED if name not in values]
    found += [
        f"{one} or {other} must be set" for one, other in EITHER if not {one, other} & values.keys()
    ]
    if "REQUEST_ID_KEY_URI" in values:
        # then the app does not look at the key itself
        values.pop("REQUEST_ID_KEY", None)
    values = {name: value for name, value in values.items() if not REFERENCE.match(value)}
    wrong = {name: RULES[name](value) for name, value in values.items()}
    found += [f"{name} {what}" for name, what in wrong.items() if what]
    good = {**DEFAULTS, **{name: values[name] for name, what in wrong.items() if not what}}
    return found + _do_not_fit(good, settings, known_models=known_models)


def _key_settings(values: Mapping[str, str]) -> list[str]:
    entries = [
        *parsed(values["DEPLOYMENTS"]),
        *parsed(values.get("SPILLOVER_DEPLOYMENTS", "[]")),
    ]
    return [one["api_key_setting"] for one in entries if one.get("api_key_setting")]


def _do_not_fit(
    values: Mapping[str, str], settings: Mapping[str, str], *, known_models: frozenset[str]
) -> list[str]:
    found = []
    if float(values["LOWER_LIMIT"]) >= float(values["UPPER_LIMIT"]):
        found.append("LOWER_LIMIT must be below UPPER_LIMIT")
    if float(values["DEFAULT_DEADLINE_SECONDS"]) > float(values["HUB_RETENTION_SECONDS"]):
        found.append("DEFAULT_DEADLINE_SECONDS must not exceed HUB_RETENTION_SECONDS")
    work = (
        float(values["INVOCATION_BUDGET_SECONDS"])
        + float(values["CALL_LIMIT_SECONDS"])
        + 2 * float(values["WRITE_BUDGET_SECONDS"])
    )
    if work > MOST_WORK_SECONDS:
        found.append(
            "INVOCATION_BUDGET_SECONDS + CALL_LIMIT_SECONDS + 2 x WRITE_BUDGET_SECONDS must not "
            f"exceed {MOST_WORK_SECONDS}"
        )
    if values["ALERT_AUTHENTICATION"] == "entra":
        found += [
            f"{name} must be set when ALERT_AUTHENTICATION is entra"
            for name in ("ALERT_TENANT_ID", "ALERT_AUDIENCE")
            if name not in values
        ]
    if "DEPLOYMENTS" in values:
        found += [
            f"{setting} is missing, which an api_key_setting of DEPLOYMENTS or "
            "SPILLOVER_DEPLOYMENTS names"
            for setting in _key_settings(values)
            if not settings.get(setting)
        ]
        found += fit(
            parsed(values["DEPLOYMENTS"]),
            parsed(values.get("SPILLOVER_DEPLOYMENTS", "[]")),
            known_models=known_models | frozenset(parsed(values.get("MODELS", "{}"))),
        )
    return found


def fit(
    ptus: list[Any],
    spillover: list[Any],
    *,
    known_models: frozenset[str],
    names: tuple[str, str] = ("DEPLOYMENTS", "SPILLOVER_DEPLOYMENTS"),
) -> list[str]:
    """Deployments that are well formed and do not go together; `names` are those of the two
    lists for the one who reads it."""
    mine, theirs = names
    found = [
        f"{mine} names the unknown model {one['model']}; it has "
        f"{', '.join(sorted(known_models))}, and what the setting MODELS describes"
        for one in ptus
        if one["model"] not in known_models
    ]
    found += [f"{mine} names {name} twice" for name in _twice(ptus)]
    found += [f"{theirs} names {name} twice" for name in _twice(spillover)]
    places: dict[tuple[str, str], str] = {}
    for one in [*ptus, *spillover]:
        place = (
            (one.get("endpoint") or "").rstrip("/").lower(),
            (one.get("deployment") or one["name"]).lower(),
        )
        other = places.setdefault(place, one["name"])
        if other != one["name"]:
            found.append(f"{mine} and {theirs} have one deployment as {other} and {one['name']}")
    targets = {one["name"]: one for one in spillover}
    for one in ptus:
        if one["name"] in targets:
            found.append(
                f"{one['name']} is in {mine} and in {theirs}: it is provisioned or pay-as-you-go"
            )
        target = targets.get(one.get("spillover"))
        if one.get("spillover") is None:
            continue
        if target is None:
            found.append(
                f"{mine} lets {one['name']} spill over to {one['spillover']}, which {theirs} does "
                "not have"
            )
        elif one["model"] not in (target["model"], *target.get("stands_in_for", ())):
            found.append(
                f"{mine} lets {one['name']} ({one['model']}) spill over to {target['name']}, whose "
                f"model is {target['model']}"
            )
    return found


def _twice(entries: list[Any]) -> list[str]:
    names = [one["name"] for one in entries]
    return sorted({name for name in names if names.count(name) > 1})
