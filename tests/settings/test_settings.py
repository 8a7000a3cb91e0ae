"""What is missing or malformed is named with what it should look like; secrets stay secret."""

import json
import os
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.work import Model
from ptu_optimizer.settings.alerts import alerts_need_the_function_key
from ptu_optimizer.settings.dispatch import (
    FUNCTION_TIMEOUT_SECONDS,
    HOST_MARGIN_SECONDS,
    LEAST_TURN_WAIT_SECONDS,
    LONGEST_TURN_WAIT_SECONDS,
)
from ptu_optimizer.settings.setting_errors import SettingsError
from ptu_optimizer.settings.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cr3t"
GUID = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
RESOURCE = "/subscriptions/S/resourceGroups/R/providers/Microsoft.CognitiveServices/accounts/A"
NEEDED = {
    "EVENT_HUBS": f"Endpoint=sb://n.servicebus.windows.net/;SharedAccessKey={SECRET}",
    "COSMOS": f"AccountEndpoint=https://n.documents.azure.com/;AccountKey={SECRET};",
    "COSMOS_DATABASE": "ptu",
    "AzureWebJobsStorage": f"AccountName=n;AccountKey={SECRET}",
    "AZURE_OPENAI_ENDPOINT": "https://n.openai.azure.com",
    "AZURE_OPENAI_API_KEY": SECRET,
    "AZURE_OPENAI_RESOURCE_ID": RESOURCE,
    "AZURE_MONITOR_ENDPOINT": "https://swedencentral.metrics.monitor.azure.com",
    "DEPLOYMENTS": '[{"name": "batch", "model": "gpt-4.1", "ptus": 50}]',
    "REQUEST_ID_KEY": f"{SECRET} and at least sixteen",
    "GAUGE_SCHEDULE": "15 * * * * *",
    "SWEEP_SCHEDULE": "30 */2 * * * *",
}
ALIASES = {str(field.alias) for field in Settings.model_fields.values()}
HOST: dict[str, str] = json.loads((ROOT / "host.json").read_text())
EXAMPLE: dict[str, str] = json.loads((ROOT / "local.settings.json.example").read_text())["Values"]


@pytest.fixture(autouse=True)
def _environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALIASES:
        monkeypatch.delenv(name, raising=False)


def load(**changes: str | None) -> Settings:
    """Settings from a whole environment with these changes; None takes one away."""
    environment = {**NEEDED, **changes}
    os.environ.update({name: value for name, value in environment.items() if value is not None})
    try:
        return load_settings()
    finally:
        for name in environment:
            os.environ.pop(name, None)


def complaint(**changes: str | None) -> str:
    with pytest.raises(SettingsError) as raised:
        load(**changes)
    return str(raised.value)


# --- what is there -------------------------------------------------------------------------------


def test_what_is_needed_is_enough() -> None:
    settings = load()
    assert settings.cosmos_database == "ptu"
    assert [d.name for d in settings.deployments] == ["batch"]
    assert settings.max_items == 5_000
    assert settings.sizing["gpt-4.1"] == Model(input_tpm_per_ptu=3_000, output_ratio=4)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"EVENT_HUBS": None, "EVENT_HUBS__fullyQualifiedNamespace": "n.servicebus.windows.net"},
            id="Event Hubs by identity",
        ),
        pytest.param(
            {"COSMOS": None, "COSMOS__accountEndpoint": "https://n.documents.azure.com/"},
            id="Cosmos DB by identity",
        ),
        pytest.param(
            {
                "AzureWebJobsStorage": None,
                "AzureWebJobsStorage__blobServiceUri": "https://n.blob.core.windows.net",
            },
            id="storage by identity",
        ),
        pytest.param({"AZURE_OPENAI_API_KEY": None}, id="Azure OpenAI by identity"),
        pytest.param({"AZURE_CLIENT_ID": ""}, id="an empty setting is none"),
    ],
)
def test_identities_take_the_place_of_keys(changes: Mapping[str, str | None]) -> None:
    load(**changes)


def test_alerts_come_by_key_by_default() -> None:
    settings = load()
    assert settings.alert_authentication == "key"
    assert settings.alert_audiences == ()


def test_tokens_that_deliver_alerts_may_be_for_one_of_several_audiences() -> None:
    settings = load(
        ALERT_AUTHENTICATION="entra", ALERT_TENANT_ID=GUID, ALERT_AUDIENCE=f"api://a, {GUID}"
    )
    assert settings.alert_audiences == ("api://a", GUID)


def test_models_extend_the_sizing_table() -> None:
    settings = load(
        MODELS='{"gpt-6": {"input_tpm_per_ptu": 1000, "output_ratio": 6}}',
        DEPLOYMENTS='[{"name": "six", "model": "gpt-6", "ptus": 15}]',
    )
    assert settings.sizing["gpt-6"].output_ratio == 6
    assert "gpt-4.1" in settings.sizing


# --- what is missing or malformed -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name", sorted(NEEDED.keys() - {"AZURE_OPENAI_API_KEY"}), ids=lambda name: name
)
def test_a_missing_setting_is_named_with_what_it_should_look_like(name: str) -> None:
    field = next(field for field in Settings.model_fields.values() if field.alias == name)
    message = complaint(**{name: None})
    assert name in message
    assert str((field.examples or [None])[0]) in message
    assert str(field.description) in message


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_every_setting_has_a_description_and_an_example(name: str) -> None:
    field = next(field for field in Settings.model_fields.values() if field.alias == name)
    assert field.description
    assert field.examples


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        pytest.param("MAX_ITEMS", "many", "integer", id="no number"),
        pytest.param("MAX_ITEMS", "0", "greater than 0", id="zero"),
        pytest.param("MAX_ITEMS", "5000000", "100000", id="too many"),
        pytest.param("UPPER_LIMIT", "80", "1.0 is 100 %", id="a percentage for a fraction"),
        pytest.param("LOWER_LIMIT", "-0.1", "greater than or equal", id="negative"),
        pytest.param("CALL_LIMIT_SECONDS", "inf", "finite", id="infinite"),
        pytest.param("LIVE_TTL_SECONDS", "nan", "finite", id="not a number"),
        pytest.param("HUB_RETENTION_SECONDS", "1e15", "90 days", id="longer than any hub"),
        pytest.param("AZURE_OPENAI_ENDPOINT", "n.openai.azure.com", "https://", id="no scheme"),
        pytest.param("AZURE_OPENAI_RESOURCE_ID", "my-resource", "/subscriptions", id="no id"),
        pytest.param("GAUGE_SCHEDULE", "every minute", "15 * * * * *", id="no schedule"),
        pytest.param("ALERT_AUTHENTICATION", "none", "function key", id="an unknown way in"),
        pytest.param("ALERT_TENANT_ID", "contoso.com", "0000-0000", id="a tenant's name"),
        pytest.param("ALERT_CALLER_APP_ID", "AzNS", "461e8683", id="an application's name"),
        pytest.param("ALERT_AUDIENCE", " , ", "api://ptu-alerts", id="commas alone"),
        pytest.param("DEPLOYMENTS", "gpt-4.1", "not JSON", id="not JSON"),
        pytest.param("DEPLOYMENTS", "[]", '[{"name"', id="no deployment"),
        pytest.param("DEPLOYMENTS", '{"name": "a"}', '[{"name"', id="not an array"),
        pytest.param("MODELS", "{", "not JSON", id="half of JSON"),
        pytest.param("EVENT_HUBS", "n.servicebus.windows.net", "Endpoint=sb://", id="a namespace"),
        pytest.param("COSMOS", "https://n.documents.azure.com", "AccountKey=", id="an endpoint"),
        pytest.param(
            "AzureWebJobsStorage", "@Microsoft.KeyVault(x)", "AccountName=", id="not resolved"
        ),
        pytest.param(
            "EVENT_HUBS__fullyQualifiedNamespace", "sb://n/", "NAME.servicebus", id="a scheme"
        ),
        pytest.param("COSMOS__accountEndpoint", "n.documents.azure.com", "https://", id="none"),
        pytest.param("AzureWebJobsStorage__blobServiceUri", "n", "https://", id="a bare name"),
    ],
)
def test_a_malformed_setting_is_named_with_what_it_should_look_like(
    name: str, value: str, says: str
) -> None:
    message = complaint(**{name: value})
    assert name in message
    assert says in message


@pytest.mark.parametrize(
    ("deployment", "where"),
    [
        pytest.param({"ptus": 0}, "DEPLOYMENTS.0.ptus", id="no PTU"),
        pytest.param({"name": ""}, "DEPLOYMENTS.0.name", id="no name"),
        pytest.param({"model": None}, "DEPLOYMENTS.0.model", id="no model"),
        pytest.param({"tpm": 5}, "DEPLOYMENTS.0.tpm", id="an unknown field"),
        pytest.param({"model": "gpt-99"}, "gpt-99; describe it in MODELS", id="unknown model"),
    ],
)
def test_a_bad_deployment_is_told_where(deployment: dict[str, object], where: str) -> None:
    good = {"name": "batch", "model": "gpt-4.1", "ptus": 50}
    assert where in complaint(DEPLOYMENTS=json.dumps([good | deployment]))


PAYG: dict[str, object] = {"name": "payg", "model": "gpt-4.1", "tpm": 100_000}


def spilling(*targets: dict[str, object], to: str = "payg", **changes: str) -> dict[str, str]:
    """The settings of a deployment that spills over `to` one of these."""
    deployment = {"name": "batch", "model": "gpt-4.1", "ptus": 50, "spillover": to}
    return {
        "DEPLOYMENTS": json.dumps([deployment]),
        "SPILLOVER_DEPLOYMENTS": json.dumps(targets),
        **changes,
    }


def test_a_deployment_may_spill_over_to_pay_as_you_go() -> None:
    settings = load(**spilling(PAYG | {"rpm": 600}, SPILLOVER_LEAD_SECONDS="90"))
    assert settings.deployments[0].spillover == "payg"
    (target,) = settings.spillover_deployments
    assert (target.tpm, target.rpm) == (100_000, 600)
    assert settings.spillover_lead_seconds == 90


def test_nothing_spills_over_by_default() -> None:
    settings = load()
    assert settings.deployments[0].spillover is None
    assert settings.spillover_deployments == ()


def test_another_model_may_stand_in_if_that_is_said() -> None:
    load(**spilling(PAYG | {"model": "gpt-4o", "stands_in_for": ["gpt-4.1"]}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param(
            spilling(PAYG, to="elsewhere"),
            "spill over to elsewhere, which SPILLOVER_DEPLOYMENTS does not describe",
            id="an unknown target",
        ),
        pytest.param(
            spilling(PAYG | {"model": "gpt-4o"}),
            'add "stands_in_for": ["gpt-4.1"]',
            id="another model",
        ),
        pytest.param(
            spilling(PAYG, PAYG), "SPILLOVER_DEPLOYMENTS names a deployment twice", id="twice"
        ),
        pytest.param(
            spilling(PAYG | {"name": "batch"}, to="batch"),
            "batch is in DEPLOYMENTS and in SPILLOVER_DEPLOYMENTS",
            id="the same deployment",
        ),
        pytest.param(
            spilling(PAYG | {"tpm": 0}), "SPILLOVER_DEPLOYMENTS.0.tpm", id="no tokens a minute"
        ),
        pytest.param(
            spilling(PAYG | {"rpm": 0}), "SPILLOVER_DEPLOYMENTS.0.rpm", id="no requests a minute"
        ),
        pytest.param(
            spilling(PAYG | {"ptus": 5}), "SPILLOVER_DEPLOYMENTS.0.ptus", id="an unknown field"
        ),
        pytest.param(
            {"SPILLOVER_DEPLOYMENTS": "payg"}, "SPILLOVER_DEPLOYMENTS is not JSON", id="not JSON"
        ),
        pytest.param({"SPILLOVER_LEAD_SECONDS": "0"}, "greater than 0", id="no time to leave in"),
    ],
)
def test_a_spillover_that_cannot_work_is_told(changes: dict[str, str], says: str) -> None:
    assert says in complaint(**changes)


# --- several resources ----------------------------------------------------------------------------

EAST: dict[str, object] = {
    "name": "east",
    "deployment": "gpt-4.1",
    "model": "gpt-4.1",
    "ptus": 50,
    "endpoint": "https://east.openai.azure.com",
    "resource_id": "/subscriptions/S/resourceGroups/RG/providers/M.C/accounts/east",
}
WEST: dict[str, object] = {"name": "gpt-4.1", "model": "gpt-4.1", "ptus": 5}


def placed(**changes: object) -> str:
    """DEPLOYMENTS with one of the usual resource and one elsewhere; None takes a field away."""
    east = {name: value for name, value in (EAST | changes).items() if value is not None}
    return json.dumps([WEST, east])


def test_a_deployment_is_of_the_usual_resource_unless_it_says_otherwise() -> None:
    settings = load(
        DEPLOYMENTS=placed(api_version="v1", monitor_endpoint="https://eastus.metrics"),
        AZURE_OPENAI_API_KEY="the usual key",
    )
    west, east = settings.provisioned
    assert (west.name, west.deployment) == ("gpt-4.1", "gpt-4.1")
    assert west.resource.endpoint == NEEDED["AZURE_OPENAI_ENDPOINT"]
    assert west.resource.resource_id == NEEDED["AZURE_OPENAI_RESOURCE_ID"]
    assert west.resource.api_key == "the usual key"
    assert (east.name, east.deployment) == ("east", "gpt-4.1")
    assert east.resource.endpoint == EAST["endpoint"]
    assert east.resource.api_key is None, "the usual key does not open another resource"
    assert east.resource.api_version == "v1"
    assert east.resource.monitor_endpoint == "https://eastus.metrics"


def test_without_a_region_of_its_own_a_resource_is_read_in_the_usual_one() -> None:
    _, east = load(DEPLOYMENTS=placed()).provisioned
    assert east.resource.monitor_endpoint == NEEDED["AZURE_MONITOR_ENDPOINT"]


def test_the_key_of_a_resource_has_a_setting_of_its_own() -> None:
    _, east = load(DEPLOYMENTS=placed(api_key_setting="EAST_KEY"), EAST_KEY="its key").provisioned
    assert east.resource.api_key == "its key"
    assert "its key" not in repr(east)


def test_spillover_may_lead_to_another_resource() -> None:
    target = {"name": "payg", "model": "gpt-4.1", "tpm": 1_000, "endpoint": "https://payg"}
    settings = load(
        DEPLOYMENTS=json.dumps([WEST | {"spillover": "payg"}]),
        SPILLOVER_DEPLOYMENTS=json.dumps([target]),
    )
    (payg,) = settings.pay_as_you_go
    assert payg.resource.endpoint == "https://payg"
    assert payg.resource.resource_id is None, "nothing of it is monitored"


@pytest.mark.parametrize(
    ("changes", "environment", "says"),
    [
        pytest.param(
            {"resource_id": None}, {}, "resource_id is missing", id="no metrics without its id"
        ),
        pytest.param(
            {"endpoint": None}, {}, "resource_id belongs to an endpoint", id="an id of no endpoint"
        ),
        pytest.param({"endpoint": "east"}, {}, "DEPLOYMENTS.1.endpoint", id="no URL"),
        pytest.param({"api_version": "latest"}, {}, "api_version", id="no version"),
        pytest.param(
            {"api_key_setting": "EAST_KEY"}, {}, "EAST_KEY is missing", id="its key is not there"
        ),
        pytest.param(
            {"api_key_setting": "EAST_KEY"},
            {"EAST_KEY": "@Microsoft.KeyVault(SecretUri=https://v/secrets/k)"},
            "EAST_KEY is malformed: it is a reference",
            id="a reference that was not resolved",
        ),
        pytest.param(
            {"endpoint": NEEDED["AZURE_OPENAI_ENDPOINT"] + "/", "deployment": "GPT-4.1"},
            {},
            "gpt-4.1 and east are one deployment",
            id="one deployment under two names",
        ),
    ],
)
def test_a_place_that_cannot_work_is_told(
    changes: dict[str, object], environment: dict[str, str], says: str
) -> None:
    assert says in complaint(DEPLOYMENTS=placed(**changes), **environment)


def test_a_deployment_named_twice_is_refused() -> None:
    twice = (
        '[{"name": "a", "model": "gpt-4.1", "ptus": 5}, {"name": "a", "model": "o3", "ptus": 5}]'
    )
    assert "DEPLOYMENTS names a deployment twice" in complaint(DEPLOYMENTS=twice)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param(
            {"LOWER_LIMIT": "0.8", "UPPER_LIMIT": "0.8"},
            "LOWER_LIMIT must be below UPPER_LIMIT",
            id="limits that leave no room",
        ),
        pytest.param(
            {"HUB_RETENTION_SECONDS": "3600"},
            "DEFAULT_DEADLINE_SECONDS must not exceed HUB_RETENTION_SECONDS",
            id="a default beyond the retention",
        ),
        pytest.param(
            {"ALERT_AUTHENTICATION": "entra", "ALERT_AUDIENCE": "api://a"},
            "ALERT_TENANT_ID must be set when ALERT_AUTHENTICATION is entra",
            id="tokens of no tenant",
        ),
        pytest.param(
            {"ALERT_AUTHENTICATION": "entra", "ALERT_TENANT_ID": GUID},
            "ALERT_AUDIENCE must be set when ALERT_AUTHENTICATION is entra",
            id="tokens for nobody",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_named(changes: dict[str, str], says: str) -> None:
    assert says in complaint(**changes)


# --- what must fit into the function timeout ------------------------------------------------------

DISPATCH_TIMES = ("INVOCATION_BUDGET_SECONDS", "CALL_LIMIT_SECONDS", "WRITE_BUDGET_SECONDS")


def test_the_function_timeout_is_that_of_host_json() -> None:
    hours, minutes, seconds = map(int, HOST["functionTimeout"].split(":"))
    assert hours * 3_600 + minutes * 60 + seconds == FUNCTION_TIMEOUT_SECONDS


@pytest.mark.parametrize(
    ("times", "wait"),
    [
        pytest.param((120, 300, 30), LONGEST_TURN_WAIT_SECONDS, id="the defaults"),
        pytest.param((20, 20, 8), LONGEST_TURN_WAIT_SECONDS, id="short ones: no longer wait"),
        pytest.param((120, 600, 30), 6_300, id="a call limit for reasoning models"),
        pytest.param((120, 3_600, 30), 3_300, id="the longest call limit"),
        pytest.param((3_600, 300, 30), 3_120, id="the longest budget"),
        pytest.param((120, 3_600, 780), LEAST_TURN_WAIT_SECONDS, id="the most that is accepted"),
    ],
)
def test_the_wait_for_the_turn_takes_what_the_times_of_dispatch_leave(
    times: tuple[int, int, int], wait: float
) -> None:
    settings = load(**dict(zip(DISPATCH_TIMES, map(str, times), strict=True)))
    assert settings.turn_wait_seconds == wait


@pytest.mark.parametrize(
    "times",
    [
        pytest.param((120, 3_600, 781), id="a second of writes too long"),
        pytest.param((3_600, 3_600, 30), id="a budget and a call"),
        pytest.param((120, 300, 3_600), id="writes"),
    ],
)
def test_times_that_leave_no_wait_for_the_turn_are_named(times: tuple[int, int, int]) -> None:
    with pytest.raises(SettingsError) as raised:
        load(**dict(zip(DISPATCH_TIMES, map(str, times), strict=True)))
    assert raised.value.names == DISPATCH_TIMES
    assert "must not exceed 5280: the Functions host ends an invocation after 7200 s" in str(
        raised.value
    )


@given(
    budget=st.floats(0, 3_600, exclude_min=True),
    call=st.floats(0, 3_600, exclude_min=True),
    write=st.floats(0, 3_600, exclude_min=True),
)
def test_no_accepted_times_exceed_the_function_timeout(
    budget: float, call: float, write: float
) -> None:
    times = dict(zip(DISPATCH_TIMES, map(str, (budget, call, write)), strict=True))
    try:
        settings = load(**times)
    except SettingsError:
        assert budget + call + 2 * write > 5_280 - 1e-6
        return
    longest = settings.turn_wait_seconds + budget + call + 2 * write
    assert longest <= FUNCTION_TIMEOUT_SECONDS - HOST_MARGIN_SECONDS + 1e-6
    assert settings.turn_wait_seconds >= LEAST_TURN_WAIT_SECONDS


# --- how they are named ---------------------------------------------------------------------------


def test_every_bad_setting_is_named_at_once() -> None:
    bad = {"COSMOS_DATABASE": None, "MAX_ITEMS": "x", "MODELS": "{", "REQUEST_ID_KEY": None}
    with pytest.raises(SettingsError) as raised:
        load(**bad)
    assert len(raised.value.complaints) == str(raised.value).count("\n- ") == 4
    assert set(raised.value.names) == bad.keys()


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        pytest.param({"DEPLOYMENTS": "[{}]"}, ["DEPLOYMENTS"], id="several faults in one setting"),
        pytest.param(
            {"LOWER_LIMIT": "0.9"}, ["LOWER_LIMIT", "UPPER_LIMIT"], id="two that do not fit"
        ),
        pytest.param(
            spilling(PAYG, to="elsewhere"),
            ["DEPLOYMENTS", "SPILLOVER_DEPLOYMENTS"],
            id="a spillover that is not there",
        ),
        pytest.param({"EVENT_HUBS": None}, ["EVENT_HUBS"], id="one of a pair"),
    ],
)
def test_an_error_has_the_names_of_the_settings_apart(
    changes: dict[str, str | None], names: list[str]
) -> None:
    with pytest.raises(SettingsError) as raised:
        load(**changes)
    assert list(raised.value.names) == names


# --- the key of request ids ----------------------------------------------------------------------

KEY_URI = "https://kv-ptu.vault.azure.net/secrets/request-id-key"
REFERENCE = f"@Microsoft.KeyVault(SecretUri={KEY_URI})"


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(None, id="no key"),
        pytest.param(REFERENCE, id="a reference of the release before, not resolved"),
        pytest.param("short", id="a key that would be refused"),
        pytest.param(f"{SECRET} and at least sixteen", id="a reference that was resolved"),
    ],
)
def test_with_its_uri_the_key_is_neither_used_nor_looked_at(key: str | None) -> None:
    settings = load(REQUEST_ID_KEY_URI=KEY_URI, REQUEST_ID_KEY=key)
    assert settings.request_id_key_uri == KEY_URI
    assert settings.request_id_keys is None


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://kv.vault.azure.net/secrets/key", id="not encrypted"),
        pytest.param("https://kv.vault.azure.net", id="no secret"),
        pytest.param(f"{KEY_URI}/0123456789abcdef0123456789abcdef", id="one version"),
        pytest.param(REFERENCE, id="a reference"),
    ],
)
def test_a_uri_that_is_none_is_the_only_complaint(uri: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(REQUEST_ID_KEY_URI=uri, REQUEST_ID_KEY=None)
    assert raised.value.names == ("REQUEST_ID_KEY_URI",)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param("k" * 16, ["k" * 16], id="one"),
        pytest.param(f'["{"k" * 16}"]', ["k" * 16], id="a list of one"),
        pytest.param(f'["{"n" * 16}", "{"o" * 16}"]', ["n" * 16, "o" * 16], id="new and old"),
        pytest.param("{a key} [of signs]", ["{a key} [of signs]"], id="one that looks like JSON"),
    ],
)
def test_request_ids_may_have_several_keys(text: str, keys: list[str]) -> None:
    found = load(REQUEST_ID_KEY=text).request_id_keys
    assert found is not None
    assert [key.get_secret_value() for key in found] == keys


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[]", id="none"),
        pytest.param(f'["{"k" * 16}", "short"]', id="one is short"),
        pytest.param(f'["{"k" * 16}", "replace-me: openssl"]', id="one is the example's"),
        pytest.param(f'["{"k" * 16}", 5]', id="one is a number"),
        pytest.param(f'["{"k" * 16}"', id="cut"),
    ],
)
def test_keys_that_are_not_usable_are_one_complaint_of_the_setting(text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(REQUEST_ID_KEY=text)
    assert raised.value.names == ("REQUEST_ID_KEY",)


REFERENCES = [
    pytest.param(REFERENCE, id="Key Vault"),
    pytest.param("@microsoft.keyvault(VaultName=v;SecretName=s)", id="in lower case"),
    pytest.param(f"AccountName=n;AccountKey={REFERENCE}", id="within a value"),
    pytest.param("@Microsoft.AppConfiguration(Endpoint=e; Key=k)", id="App Configuration"),
]


@pytest.mark.parametrize("value", REFERENCES)
@pytest.mark.parametrize(
    "name",
    ["REQUEST_ID_KEY", "AZURE_OPENAI_API_KEY", "EVENT_HUBS", "COSMOS", "AzureWebJobsStorage"],
)
def test_a_reference_that_was_not_resolved_is_no_secret(name: str, value: str) -> None:
    message = complaint(**{name: value})
    assert f"{name} is malformed: it is a reference that App Service could not resolve" in message


@pytest.mark.parametrize(
    ("value", "needed"),
    [
        pytest.param(None, True, id="not set"),
        pytest.param("key", True, id="key"),
        pytest.param("entra", False, id="entra"),
        pytest.param("platform", False, id="platform"),
        pytest.param("Entra", True, id="another spelling"),
        pytest.param("none", True, id="a word that is none"),
        pytest.param("", True, id="empty"),
    ],
)
def test_alerts_come_without_a_function_key_only_by_the_exact_word(
    monkeypatch: pytest.MonkeyPatch, value: str | None, needed: bool
) -> None:
    if value is not None:
        monkeypatch.setenv("ALERT_AUTHENTICATION", value)
    assert alerts_need_the_function_key() is needed


# --- secrets -------------------------------------------------------------------------------------


def test_secrets_are_not_shown() -> None:
    settings = load()
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in str(settings.model_dump())
    assert settings.request_id_keys is not None
    assert settings.request_id_keys[0].get_secret_value().startswith(SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"REQUEST_ID_KEY": SECRET}, id="the secret itself is malformed"),
        pytest.param({"REQUEST_ID_KEY": f'["{SECRET}"]'}, id="one of several is malformed"),
        pytest.param({"REQUEST_ID_KEY": f'["{SECRET}'}, id="several that are not JSON"),
        pytest.param({"EVENT_HUBS": SECRET}, id="a connection string is malformed"),
        pytest.param({"COSMOS_DATABASE": None}, id="another setting is missing"),
        pytest.param({"LOWER_LIMIT": "0.9"}, id="settings do not fit together"),
        pytest.param({"DEPLOYMENTS": "["}, id="not JSON"),
    ],
)
def test_no_secret_is_told_when_something_is_wrong(changes: dict[str, str | None]) -> None:
    with pytest.raises(SettingsError) as raised:
        load(**changes)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


# --- the example ---------------------------------------------------------------------------------

OF_THE_WORKER = {"FUNCTIONS_WORKER_RUNTIME", "PYTHON_ENABLE_INIT_INDEXING"}
"""The second: without it, Python 3.11 and 3.12 do not load HTTP functions of the FastAPI types."""


def test_the_example_lists_every_setting_and_no_other() -> None:
    assert EXAMPLE.keys() - OF_THE_WORKER == ALIASES


FILLED_IN = {**{name: EXAMPLE[name] for name in ALIASES}, "REQUEST_ID_KEY": f"{SECRET} of my own"}


def test_the_example_is_usable_once_its_key_is_filled_in() -> None:
    load(**FILLED_IN)


def test_the_key_of_the_example_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="REQUEST_ID_KEY"):
        load(**{**FILLED_IN, "REQUEST_ID_KEY": EXAMPLE["REQUEST_ID_KEY"]})


def test_the_example_shows_the_defaults() -> None:
    from_example, by_default = load(**FILLED_IN), load()
    with_default = {
        name for name, field in Settings.model_fields.items() if not field.is_required()
    }
    secrets = {"event_hubs", "cosmos", "storage", "azure_openai_api_key", "request_id_keys"}
    for name in with_default - secrets:
        assert getattr(from_example, name) == getattr(by_default, name), name
