"""The hooks' copy of the app's rules says the same as the app: one table runs over both.

Each row is what somebody may set. On one side infra/scripts/check_inputs.py judges it; on the other
the templates make settings of it, and ptu_optimizer/settings/ reads them.
"""

from __future__ import annotations

import json
from typing import Any

import annotated_types
import pytest

from infra.scripts.inputs import as_app_settings
from infra.scripts.inputs.app_rules import EITHER, REQUIRED, RULES
from infra.scripts.inputs.app_values import Number
from ptu_optimizer.settings.setting_errors import SettingsError
from tests.infra.azd.further import (
    FURTHER,
    NORTH_ID,
    SOUTH_ID,
    with_further_accounts,
)
from tests.infra.azd.places import template
from tests.infra.azd.preprovision import ACCOUNT, USUAL, said
from tests.infra.azd.test_inputs import FILE, PARAMETERS, deployments_given, variables
from tests.infra.azd.test_settings import read_by_the_app
from tests.support.bicep.evaluate import Failed
from tests.support.deployed_settings import ALIASES, loaded

MAIN = template("main.bicep")

ENTRA = {
    "ALERT_AUTHENTICATION": "entra",
    "ALERT_AUDIENCE": "api://a,b",
    "ALERT_WEBHOOK_OBJECT_ID": "o",
    "ALERT_WEBHOOK_IDENTIFIER_URI": "api://a",
}
BUYS = {"CREATE_PTU_DEPLOYMENT": "true", "PTU_COUNT": "15"}
SPILLS = {
    "PTU_DEPLOYMENTS": "a:gpt-4.1:50:b",
    "PTU_SPILLOVER_DEPLOYMENTS": "b:gpt-4.1:100000:600",
}
EAST = {
    "name": "c",
    "deployment": "a",
    "model": "gpt-4.1",
    "ptus": 50,
    "endpoint": "https://east.openai.azure.com",
    "resource_id": "/subscriptions/S/resourceGroups/RG/providers/M.C/accounts/east",
}
ONE = {"name": "a", "model": "gpt-4.1", "ptus": 50}
PAYG = {"name": "b", "model": "gpt-4.1", "tpm": 1000}

GOOD: list[Any] = [
    pytest.param({}, {}, id="the usual"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1:50, b:o3:100"}, {}, id="two deployments"),
    pytest.param({"PTU_DEPLOYMENTS": " a : gpt-4.1 : 50 "}, {}, id="spaces around the parts"),
    pytest.param(SPILLS, {}, id="spillover"),
    pytest.param({**BUYS, "PTU_DEPLOYMENTS": ""}, {}, id="created"),
    pytest.param(BUYS, {}, id="created beside one that exists"),
    pytest.param({**BUYS, "CREATE_SPILLOVER_DEPLOYMENT": "1"}, {}, id="created with spillover"),
    pytest.param(
        {**BUYS, "CREATE_SPILLOVER_DEPLOYMENT": "1", "PTU_DEPLOYMENTS": "a:gpt-4.1:50:payg"},
        {},
        id="one that exists spills over to the created one",
    ),
    pytest.param({"HUB_RETENTION_DAYS": "1"}, {}, id="retention as long as the usual deadline"),
    pytest.param(ENTRA, {}, id="entra"),
    pytest.param(FURTHER, {}, id="two further accounts with deployments of one name"),
    pytest.param(
        {**FURTHER, "PTU_DEPLOYMENTS": "n@north:gpt-4.1:50", "PTU_SPILLOVER_DEPLOYMENTS": ""},
        {},
        id="a further account alone",
    ),
    pytest.param(
        {"PTU_DEPLOYMENTS": "a = b : gpt-4.1 : 50"}, {}, id="another name on the first account"
    ),
    pytest.param(
        {"FURTHER_OPENAI_RESOURCES": f" north = {NORTH_ID} , south={SOUTH_ID}"}
        | {"PTU_DEPLOYMENTS": "a @ north :gpt-4.1:50, b = a @south: gpt-4.1 :50"},
        {},
        id="spaces around everything",
    ),
    pytest.param(
        {**FURTHER, "CREATE_PTU_DEPLOYMENT": "true", "PTU_COUNT": "15"},
        {},
        id="created beside further accounts",
    ),
    pytest.param({}, {"MAX_ITEMS": 10}, id="a number"),
    pytest.param({}, {"MAX_ITEMS": " +1_0.0 "}, id="a number in an odd form"),
    pytest.param({}, {"SOON_SECONDS": "0"}, id="at the least"),
    pytest.param({}, {"SOON_SECONDS": "9e2"}, id="a number with an exponent"),
    pytest.param({}, {"UPPER_LIMIT": "1"}, id="at the most"),
    pytest.param({}, {"CALL_LIMIT_SECONDS": "3600"}, id="the longest call"),
    pytest.param(
        {},
        {"CALL_LIMIT_SECONDS": "3600", "WRITE_BUDGET_SECONDS": "780"},
        id="times of dispatch that just leave a wait for the turn",
    ),
    pytest.param({}, {"upper_limit": "0.9"}, id="a name in lower case"),
    pytest.param({}, {"UPPER_LIMIT": ""}, id="an empty value is none"),
    pytest.param({}, {"LOWER_LIMIT": "0.5", "UPPER_LIMIT": "0.6"}, id="limits in order"),
    pytest.param({}, {"PRIORITY_LIMITS": {"high": {"lower": "0", "upper": 1}}}, id="priority"),
    pytest.param({}, {"NO_SETTING_OF_OURS": "x"}, id="a name that nothing reads"),
    pytest.param(
        {"PTU_DEPLOYMENTS": "a:gpt-9:50"},
        {"MODELS": {"gpt-9": {"input_tpm_per_ptu": 1, "output_ratio": 2, "more": "x"}}},
        id="a model that MODELS describes",
    ),
    pytest.param({}, {"DEPLOYMENTS": json.dumps([ONE])}, id="the list as JSON"),
    pytest.param({}, {"DEPLOYMENTS": [{**ONE, "ptus": "50"}]}, id="a size in quotes"),
    pytest.param({}, {"DEPLOYMENTS": [{**ONE, "ptus": 50.0}]}, id="a size with a point"),
    pytest.param({}, {"DEPLOYMENTS": [{**ONE, "spillover": None}]}, id="no spillover"),
    pytest.param(
        {},
        {
            "DEPLOYMENTS": [{**ONE, "spillover": "b"}],
            "SPILLOVER_DEPLOYMENTS": [{**PAYG, "model": "o3", "stands_in_for": ["gpt-4.1"]}],
        },
        id="another model that stands in",
    ),
    pytest.param({}, {"DEPLOYMENTS": [ONE, EAST]}, id="another resource"),
    pytest.param(
        {}, {"DEPLOYMENTS": [ONE, {**EAST, "api_version": "v1"}]}, id="another resource's version"
    ),
    pytest.param(
        {},
        {
            "DEPLOYMENTS": [{**ONE, "spillover": "b"}],
            "SPILLOVER_DEPLOYMENTS": [{**PAYG, "endpoint": "https://p", "deployment": "a"}],
        },
        id="spillover to another resource",
    ),
    pytest.param(
        {},
        {"DEPLOYMENTS": [{**EAST, "api_key_setting": "EAST_KEY"}], "EAST_KEY": "its key"},
        id="a key in a setting of its own",
    ),
    pytest.param({}, {"ALERT_AUTHENTICATION": "platform"}, id="a word of the app's alone"),
    pytest.param({}, {"SWEEP_SCHEDULE": "0 0 * * * *"}, id="a schedule"),
    pytest.param({}, {"REQUEST_ID_KEY": "k" * 16}, id="a key of one's own"),
    pytest.param(
        {}, {"REQUEST_ID_KEY": f'["{"n" * 16}", "{"k" * 16}"]'}, id="a new and an old key"
    ),
    pytest.param({}, {"AZURE_OPENAI_API_VERSION": "2025-04-01-preview"}, id="an API version"),
]
BAD: list[Any] = [
    pytest.param({"PTU_DEPLOYMENTS": ""}, {}, id="nothing to fill"),
    pytest.param(
        {}, {"DEPLOYMENTS": [{**EAST, "resource_id": None}]}, id="another resource without its id"
    ),
    pytest.param(
        {}, {"DEPLOYMENTS": [{**EAST, "endpoint": "east"}]}, id="an endpoint that is none"
    ),
    pytest.param({}, {"DEPLOYMENTS": [{**EAST, "endpoint": None}]}, id="an id of no endpoint"),
    pytest.param(
        {}, {"DEPLOYMENTS": [{**EAST, "api_version": "new"}]}, id="a version that is none"
    ),
    pytest.param(
        {},
        {"DEPLOYMENTS": [ONE, {**ONE, "name": "z", "deployment": "A"}]},
        id="one under two names",
    ),
    pytest.param(
        {},
        {"DEPLOYMENTS": [{**EAST, "api_key_setting": "EAST_KEY"}]},
        id="a key that is not there",
    ),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1"}, {}, id="no size"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1:0"}, {}, id="size 0"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1:-1"}, {}, id="a size below 0"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1:many"}, {}, id="a size that is no number"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1:50,"}, {}, id="a comma at the end"),
    pytest.param({"PTU_DEPLOYMENTS": " "}, {}, id="a space alone"),
    pytest.param({"PTU_DEPLOYMENTS": ":gpt-4.1:50"}, {}, id="no name"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1:50:"}, {}, id="spillover without a name"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-9:50"}, {}, id="an unknown model"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1:50,a:o3:50"}, {}, id="a name twice"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1:50:b"}, {}, id="spillover that is not described"),
    pytest.param({"PTU_DEPLOYMENTS": "a:gpt-4.1:50:payg"}, {}, id="spillover that is not created"),
    pytest.param(
        {**SPILLS, "PTU_SPILLOVER_DEPLOYMENTS": "b:o3:1000"}, {}, id="spillover of another model"
    ),
    pytest.param(
        {**SPILLS, "PTU_SPILLOVER_DEPLOYMENTS": "b:gpt-4.1:1,b:gpt-4.1:2"},
        {},
        id="spillover twice",
    ),
    pytest.param(
        {"PTU_DEPLOYMENTS": "a:gpt-4.1:50", "PTU_SPILLOVER_DEPLOYMENTS": "a:gpt-4.1:1000"},
        {},
        id="provisioned and pay-as-you-go at once",
    ),
    pytest.param({"PTU_SPILLOVER_DEPLOYMENTS": "b:gpt-4.1:0"}, {}, id="no tokens a minute"),
    pytest.param({"PTU_SPILLOVER_DEPLOYMENTS": "b:gpt-4.1:1:0"}, {}, id="no requests a minute"),
    pytest.param({**BUYS, "PTU_DEPLOYMENTS": "ptu:gpt-4.1:50"}, {}, id="created and named"),
    pytest.param(
        {**BUYS, "CREATE_SPILLOVER_DEPLOYMENT": "1", "PTU_DEPLOYMENT_NAME": "payg"},
        {},
        id="both created under one name",
    ),
    pytest.param({"PTU_DEPLOYMENTS": "a@north:gpt-4.1:50"}, {}, id="an account without an id"),
    pytest.param(
        {**FURTHER, "PTU_DEPLOYMENTS": "a:gpt-4.1:50,a@north:gpt-4.1:50"},
        {},
        id="one name on two accounts",
    ),
    pytest.param(
        {**FURTHER, "PTU_DEPLOYMENTS": "a@north:gpt-4.1:50,b=A@north:gpt-4.1:50"},
        {},
        id="one deployment of a further account under two names",
    ),
    pytest.param(
        {**FURTHER, "PTU_DEPLOYMENTS": "a@north:gpt-4.1:50:payg"},
        {},
        id="spillover by the name that it has in Azure",
    ),
    pytest.param({**FURTHER, "PTU_DEPLOYMENTS": "=a@north:gpt-4.1:50"}, {}, id="no own name"),
    pytest.param({**FURTHER, "PTU_DEPLOYMENTS": "b=@north:gpt-4.1:50"}, {}, id="no name in Azure"),
    pytest.param(
        {**FURTHER, "FURTHER_OPENAI_RESOURCES": "north"}, {}, id="a further account without an id"
    ),
    pytest.param(
        {**FURTHER, "FURTHER_OPENAI_RESOURCES": f"north={ACCOUNT}, "},
        {},
        id="a comma at the end of the further accounts",
    ),
    pytest.param({"HUB_RETENTION_DAYS": "0"}, {}, id="no retention"),
    pytest.param({**ENTRA, "ALERT_AUDIENCE": ""}, {}, id="entra without audience"),
    pytest.param({**ENTRA, "ALERT_AUDIENCE": " , "}, {}, id="entra with an empty audience"),
    pytest.param({}, {"REQUEST_ID_KEY": "[]"}, id="no key in a list"),
    pytest.param({}, {"REQUEST_ID_KEY": f'["{"n" * 16}", 5]'}, id="a key that is a number"),
    pytest.param({}, {"REQUEST_ID_KEY": f'["{"n" * 16}", "short"]'}, id="a second key too short"),
    pytest.param({}, {"REQUEST_ID_KEY": f'["{"n" * 16}"'}, id="a list of keys that is cut"),
    pytest.param({}, {"MAX_ITEMS": "0"}, id="at the bound that is none"),
    pytest.param({}, {"MAX_ITEMS": "100001"}, id="above the most"),
    pytest.param({}, {"MAX_ITEMS": "5.5"}, id="no whole number"),
    pytest.param({}, {"MAX_ITEMS": "five"}, id="no number"),
    pytest.param({}, {"MAX_ITEMS": "٥"}, id="digits of another script"),
    pytest.param({}, {"MAX_ITEMS": True}, id="a boolean"),
    pytest.param({}, {"SOON_SECONDS": "-1"}, id="below the least"),
    pytest.param({}, {"HOLD_SECONDS": "nan"}, id="not a number"),
    pytest.param({}, {"LIVE_TTL_SECONDS": "inf"}, id="without end"),
    pytest.param({}, {"max_items": "0"}, id="a bad value under a name in lower case"),
    pytest.param({}, {"UPPER_LIMIT": "1.5"}, id="above 100 %"),
    pytest.param(
        {},
        {"CALL_LIMIT_SECONDS": "3600", "WRITE_BUDGET_SECONDS": "781"},
        id="times of dispatch that leave too little wait for the turn",
    ),
    pytest.param({}, {"WRITE_BUDGET_SECONDS": "3600"}, id="writes longer than the function"),
    pytest.param({}, {"UPPER_LIMIT": "0.2"}, id="limits that are equal"),
    pytest.param({}, {"DEFAULT_DEADLINE_SECONDS": "604801"}, id="a deadline beyond retention"),
    pytest.param(
        {"HUB_RETENTION_DAYS": "1"},
        {"DEFAULT_DEADLINE_SECONDS": "86401"},
        id="a deadline beyond the hubs' days",
    ),
    pytest.param({}, {"HUB_RETENTION_SECONDS": "7776001"}, id="retention above 90 days"),
    pytest.param({}, {"COSMOS_DATABASE": ""}, id="a required setting emptied"),
    pytest.param({}, {"GAUGE_SCHEDULE": "* * *"}, id="a schedule with three fields"),
    pytest.param({}, {"ALERT_AUTHENTICATION": "none"}, id="a word that there is not"),
    pytest.param({}, {"ALERT_AUTHENTICATION": "entra"}, id="entra without tenant"),
    pytest.param({}, {"ALERT_CALLER_APP_ID": "me"}, id="no id"),
    pytest.param({}, {"AZURE_OPENAI_ENDPOINT": "acct.openai.azure.com"}, id="no address"),
    pytest.param({}, {"AZURE_OPENAI_RESOURCE_ID": "acct"}, id="no resource id"),
    pytest.param({}, {"EVENT_HUBS": "Endpoint=sb://x/"}, id="a connection string without key"),
    pytest.param({}, {"COSMOS": "secret"}, id="no connection string"),
    pytest.param({}, {"AzureWebJobsStorage": "secret"}, id="no storage"),
    pytest.param({}, {"REQUEST_ID_KEY": "k" * 15}, id="a key that is too short"),
    pytest.param({}, {"REQUEST_ID_KEY": "replace-me-" + "k" * 16}, id="the example's key"),
    pytest.param({}, {"MODELS": "{"}, id="no JSON"),
    pytest.param({}, {"MODELS": "[]"}, id="no JSON object"),
    pytest.param({}, {"MODELS": {"m": {"input_tpm_per_ptu": 1}}}, id="a model without ratio"),
    pytest.param(
        {}, {"MODELS": {"m": {"input_tpm_per_ptu": 0, "output_ratio": 1}}}, id="a model that idles"
    ),
    pytest.param({}, {"PRIORITY_LIMITS": {"low": {"lower": 0, "upper": 1}}}, id="no priority"),
    pytest.param(
        {}, {"PRIORITY_LIMITS": {"high": {"lower": 0.5, "upper": 0.5}}}, id="priority in no order"
    ),
    pytest.param({}, {"PRIORITY_LIMITS": {"high": {"lower": 0}}}, id="priority with one limit"),
    pytest.param(
        {},
        {"PRIORITY_LIMITS": '{"high": {"lower": 0, "upper": NaN}}'},
        id="priority with no number",
    ),
    pytest.param({}, {"DEPLOYMENTS": "[]"}, id="an empty list"),
    pytest.param({}, {"DEPLOYMENTS": [ONE, ONE]}, id="the same twice"),
    pytest.param({}, {"DEPLOYMENTS": [{**ONE, "ptu": 50}]}, id="a key that nothing reads"),
    pytest.param({}, {"DEPLOYMENTS": [{**ONE, "name": ""}]}, id="an empty name"),
    pytest.param({}, {"DEPLOYMENTS": [{**ONE, "name": 5}]}, id="a name that is a number"),
    pytest.param({}, {"DEPLOYMENTS": [{**ONE, "ptus": 50.5}]}, id="half a PTU"),
    pytest.param({}, {"DEPLOYMENTS": ["a"]}, id="an entry that is a text"),
    pytest.param({}, {"SPILLOVER_DEPLOYMENTS": [{**PAYG, "rpm": 0}]}, id="no pace"),
    pytest.param({}, {"SPILLOVER_DEPLOYMENTS": [{**PAYG, "stands_in_for": "x"}]}, id="no list"),
]


def typed(name: str, text: str) -> Any:
    """As azd makes a parameter's value of a variable's text. Raises ValueError."""
    default = PARAMETERS[name].value
    if isinstance(default, bool):
        return text in {"true", "1"}
    return int(text) if isinstance(default, int) else text


def settings_of(env: dict[str, str], settings: dict[str, Any]) -> dict[str, str]:
    """What the app would find in its environment. Raises Failed, as the template does."""
    parameters = {name: one["value"] for name, one in FILE.items()}
    parameters["settings"] = settings
    for name, (variable, default) in variables().items():
        parameters[name] = typed(name, env.get(variable) or default or "")
    evaluated = with_further_accounts(parameters)
    asked = MAIN.of("module")["functionApp"].value["params"]
    entra = parameters["alertAuthentication"] == "entra"
    made = read_by_the_app(
        **deployments_given(evaluated),
        hubRetentionSeconds=evaluated.value(asked["hubRetentionSeconds"].node),
        alertAuthentication=parameters["alertAuthentication"],
        alertAudience=parameters["alertAudience"],
        alertTenantId="00000000-0000-0000-0000-00000000000b" if entra else "",
    )
    given = as_app_settings(settings)
    replaced = {name.upper() for name in given}
    if "REQUEST_ID_KEY" in given:
        made.pop("REQUEST_ID_KEY_URI", None)
    return {**{n: v for n, v in made.items() if n.upper() not in replaced}, **given}


def refused_by_the_app(env: dict[str, str], settings: dict[str, Any]) -> str:
    """Why the templates or the app refuse it; empty: they do not."""
    try:
        loaded(settings_of({**USUAL, **env}, settings))
    except (Failed, SettingsError, ValueError, IndexError) as error:
        return str(error) or type(error).__name__
    return ""


@pytest.mark.parametrize(("env", "settings"), GOOD)
def test_what_the_app_takes_is_taken(env: dict[str, str], settings: dict[str, Any]) -> None:
    assert refused_by_the_app(env, settings) == ""
    assert said(settings, **env) == ""


@pytest.mark.parametrize(("env", "settings"), BAD)
def test_what_the_app_refuses_is_refused(env: dict[str, str], settings: dict[str, Any]) -> None:
    assert refused_by_the_app(env, settings) != ""
    assert said(settings, **env) != ""


def test_every_setting_has_a_rule() -> None:
    assert ALIASES.keys() - RULES.keys() == set()


def test_the_limits_of_numbers_are_the_apps() -> None:
    """Each of them, not only those in the table."""
    for alias, field in ALIASES.items():
        rule = RULES[alias]
        limits = {
            key: getattr(one, key)
            for one in field.metadata
            for key, kind in (
                ("gt", annotated_types.Gt),
                ("ge", annotated_types.Ge),
                ("le", annotated_types.Le),
            )
            if isinstance(one, kind)
        }
        if not limits:
            assert not isinstance(rule, Number), alias
            continue
        assert isinstance(rule, Number), alias
        assert (rule.gt, rule.ge, rule.le) == tuple(limits.get(key) for key in ("gt", "ge", "le"))
        assert rule.whole == (field.annotation is int), alias


def test_the_patterns_are_the_apps() -> None:
    patterns = {
        alias: one.pattern
        for alias, field in ALIASES.items()
        for one in field.metadata
        if getattr(one, "pattern", None)
    }
    assert len(patterns) > 5
    assert patterns == {alias: getattr(RULES[alias], "pattern", "") for alias in patterns}


def test_what_the_app_requires_is_required() -> None:
    alone = {alias for alias, field in ALIASES.items() if field.is_required()}
    assert alone - {"REQUEST_ID_KEY"} == set(REQUIRED)
    assert "REQUEST_ID_KEY" in {name for pair in EITHER for name in pair}


def test_a_reference_to_a_vault_is_resolved_by_app_service() -> None:
    reference = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"
    assert said({"AZURE_OPENAI_API_KEY": reference, "EVENT_HUBS": reference}) == ""


def test_every_problem_of_the_object_names_the_file() -> None:
    for problem in said({"UPPER_LIMIT": "2", "MAX_ITEMS": "x"}).splitlines():
        assert problem.startswith('"settings" of infra/main.parameters.json')
