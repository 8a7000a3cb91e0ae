"""The settings of the Function App: all that the app needs, nothing that nobody reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ptu_optimizer.settings.setting_errors import SettingsError
from ptu_optimizer.settings.settings import Settings
from tests.infra.azd.places import INFRA, template
from tests.support.bicep.evaluate import Evaluation
from tests.support.deployed_settings import ALIASES, SECRETS, loaded
from tests.support.functions import app_functions
from tests.support.schemas import ROOT

READ_BY_THE_HOST = frozenset(
    {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
        "COSMOS__clientId",
        "COSMOS__credential",
        "EVENT_HUBS__clientId",
        "EVENT_HUBS__credential",
    }
)
"""Of the connections: Microsoft, "Connect to Azure services by identity-based connections". Of logs
and traces: "App settings reference for Azure Functions"."""

MAIN = template("main.bicep")
FUNCTION_APP = template("app/function-app.bicep")
GIVEN: Mapping[str, Any] = {
    "location": "swedencentral",
    "identityClientId": "00000000-0000-0000-0000-0000000000c1",
    "storageBlobEndpoint": "https://st.blob.core.windows.net/",
    "eventHubsHost": "evhns.servicebus.windows.net",
    "cosmosEndpoint": "https://cosmos.documents.azure.com:443/",
    "cosmosDatabase": "ptu",
    "requestIdKeyUri": "https://kv.vault.azure.net/secrets/request-id-key",
    "applicationInsightsConnectionString": "InstrumentationKey=0;IngestionEndpoint=https://i/",
    "openAiEndpoint": "https://acct.openai.azure.com/",
    "openAiResourceId": "/subscriptions/s/resourceGroups/ai/providers/"
    "Microsoft.CognitiveServices/accounts/acct",
    "openAiLocation": "swedencentral",
    "openAiApiVersion": "",
    "deployments": [
        {"label": "", "entry": {"name": "gpt-4.1-ptu", "model": "gpt-4.1", "ptus": 50}}
    ],
    "spilloverDeployments": [],
    "furtherAccounts": [],
    "hubRetentionSeconds": 604_800,
    "alertAuthentication": "key",
    "alertTenantId": "",
    "alertAudience": "",
    "settings": {},
}


def evaluated(**changes: Any) -> Evaluation:
    return Evaluation(FUNCTION_APP, parameters={**GIVEN, **changes})


def read_by_the_app(**changes: Any) -> dict[str, str]:
    found = evaluated(**changes)
    values = {**found["ours"], **found["keyInVault"], **found["apiVersion"]}
    assert all(isinstance(value, str) for value in values.values())
    return values


def set_on_the_app(**changes: Any) -> dict[str, str]:
    """Every setting as the site gets it, with those of the object `settings`."""
    body = FUNCTION_APP.of("module")["site"].value["params"]["siteConfig"]["appSettings"]
    return {one["name"]: one["value"] for one in evaluated(**changes).value(body.node)}


def read_by_the_host() -> dict[str, str]:
    values = evaluated()["hosts"]
    assert isinstance(values, dict)
    return values


def missing(values: Mapping[str, str]) -> set[str]:
    """Settings that the app requires and that are not among these."""
    required = {alias for alias, field in ALIASES.items() if field.is_required()}
    return required - values.keys()


def nobody_reads(ours: Mapping[str, str], hosts: Mapping[str, str]) -> set[str]:
    return (ours.keys() - ALIASES.keys()) | (hosts.keys() - READ_BY_THE_HOST)


def test_every_setting_that_the_app_requires_is_set() -> None:
    assert missing(read_by_the_app()) == set()


def test_the_settings_are_usable() -> None:
    settings = loaded(read_by_the_app())
    assert settings.deployments[0].name == "gpt-4.1-ptu"
    assert settings.azure_monitor_endpoint == "https://swedencentral.metrics.monitor.azure.com"
    assert settings.hub_retention_seconds == Settings.model_fields["hub_retention_seconds"].default


def test_with_a_secure_webhook_they_are_usable_too() -> None:
    tenant = "00000000-0000-0000-0000-00000000000b"
    settings = loaded(
        read_by_the_app(
            alertAuthentication="entra", alertTenantId=tenant, alertAudience="api://a,b"
        )
    )
    assert settings.alert_audiences == ("api://a", "b")


def test_no_setting_is_set_that_nothing_reads() -> None:
    assert nobody_reads(read_by_the_app(), read_by_the_host()) == set()


def test_what_the_host_needs_of_each_connection_by_identity_is_set() -> None:
    connections = {
        binding["connection"]
        for bindings in app_functions().values()
        for binding in bindings
        if "connection" in binding
    } | {"AzureWebJobsStorage"}
    assert connections == {"AzureWebJobsStorage", "COSMOS", "EVENT_HUBS"}
    both = read_by_the_app() | read_by_the_host()
    for connection in connections:
        assert both[f"{connection}__credential"] == "managedidentity"
        assert both[f"{connection}__clientId"] == both["AZURE_CLIENT_ID"]
        assert any(
            name.startswith(f"{connection}__") and value.startswith(("https://", "evhns."))
            for name, value in both.items()
        )


def test_what_bindings_take_from_settings_is_set() -> None:
    text = json.dumps(app_functions())
    named = set(text.split("%")[1::2])
    assert named >= {"COSMOS_DATABASE", "GAUGE_SCHEDULE", "SWEEP_SCHEDULE"}
    assert named <= read_by_the_app().keys()


def test_no_secret_is_set_but_as_a_reference_into_the_vault() -> None:
    ours = read_by_the_app()
    assert ours.keys() & SECRETS == {"REQUEST_ID_KEY"}
    assert ours["REQUEST_ID_KEY"].startswith("@Microsoft.KeyVault(SecretUri=https://")


def test_the_app_is_told_where_its_key_is_and_the_release_before_gets_its_reference() -> None:
    values = set_on_the_app()
    assert values["REQUEST_ID_KEY_URI"] == "https://kv.vault.azure.net/secrets/request-id-key"
    assert values["REQUEST_ID_KEY"] == f"@Microsoft.KeyVault(SecretUri={GIVEN['requestIdKeyUri']})"


def test_a_key_of_ones_own_replaces_the_one_in_the_vault() -> None:
    own = "a-key-of-ones-own-that-is-long-enough"
    values = set_on_the_app(settings={"REQUEST_ID_KEY": own})
    assert values["REQUEST_ID_KEY"] == own
    assert "REQUEST_ID_KEY_URI" not in values


def test_the_version_of_the_api_is_set_only_where_one_is_asked_for() -> None:
    assert "AZURE_OPENAI_API_VERSION" not in set_on_the_app()
    values = set_on_the_app(openAiApiVersion="2025-04-01-preview")
    assert values["AZURE_OPENAI_API_VERSION"] == "2025-04-01-preview"
    given = MAIN.of("module")["functionApp"].value["params"]["openAiApiVersion"]
    assert given.text == "openAiApiVersion"
    assert MAIN.of("parameter")["openAiApiVersion"].value == ""
    asked = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert asked["openAiApiVersion"]["value"] == "${AZURE_OPENAI_API_VERSION=}"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, "https://kv/secrets/request-id-key", id="the key in the vault"),
        pytest.param({"REQUEST_ID_KEY": "k" * 32}, "", id="a key of one's own"),
    ],
)
def test_local_work_is_told_of_the_key_that_the_app_has(
    settings: dict[str, str], expected: str
) -> None:
    evaluated_main = Evaluation(
        MAIN,
        parameters={"settings": settings},
        given={"vault": {"outputs": {"secretUri": "https://kv/secrets/request-id-key"}}},
    )
    output = MAIN.of("output")["REQUEST_ID_KEY_URI"].value
    assert evaluated_main.value(output.node) == expected


def test_settings_of_ones_own_come_on_top() -> None:
    values = set_on_the_app(settings={"UPPER_LIMIT": 0.9, "GAUGE_SCHEDULE": "45 * * * * *"})
    assert values["UPPER_LIMIT"] == "0.9"
    assert values["GAUGE_SCHEDULE"] == "45 * * * * *"
    assert values.keys() == read_by_the_app().keys() | read_by_the_host().keys() | {"UPPER_LIMIT"}


@pytest.mark.parametrize("name", sorted(read_by_the_app().keys() | read_by_the_host().keys()))
def test_every_setting_is_in_the_documents(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(read_by_the_app()))
def test_every_setting_of_the_app_is_in_the_example(name: str) -> None:
    example = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))
    assert name in example["Values"]


# --- the checks find what is planted -------------------------------------------------------------


def test_a_setting_that_was_forgotten_is_found() -> None:
    ours = read_by_the_app()
    del ours["COSMOS_DATABASE"]
    assert missing(ours) == {"COSMOS_DATABASE"}
    with pytest.raises(SettingsError, match="COSMOS_DATABASE is missing"):
        loaded(ours)


def test_a_service_that_was_forgotten_is_found() -> None:
    ours = read_by_the_app()
    del ours["EVENT_HUBS__fullyQualifiedNamespace"]
    with pytest.raises(SettingsError, match="EVENT_HUBS"):
        loaded(ours)


def test_a_setting_that_nothing_reads_is_found() -> None:
    ours = {**read_by_the_app(), "UPER_LIMIT": "0.8"}
    hosts = {**read_by_the_host(), "FUNCTIONS_WORKER_RUNTIME": "python"}
    assert nobody_reads(ours, hosts) == {"UPER_LIMIT", "FUNCTIONS_WORKER_RUNTIME"}
