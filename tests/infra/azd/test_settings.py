"""The settings of the Function App: all that the app needs, nothing that nobody reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ptu_optimizer.settings import Settings, SettingsError
from tests.infra.azd.places import template
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
    "deployments": '[{"name":"gpt-4.1-ptu","model":"gpt-4.1","ptus":50}]',
    "spilloverDeployments": "[]",
    "hubRetentionSeconds": 604_800,
    "alertAuthentication": "key",
    "alertTenantId": "",
    "alertAudience": "",
    "settings": {},
}


def evaluated(**changes: Any) -> Evaluation:
    return Evaluation(FUNCTION_APP, parameters={**GIVEN, **changes})


def read_by_the_app(**changes: Any) -> dict[str, str]:
    values = evaluated(**changes)["ours"]
    assert isinstance(values, dict)
    return values


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


def test_flex_consumption_is_not_given_what_it_refuses() -> None:
    both = read_by_the_app() | read_by_the_host()
    assert not {"FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION"} & both.keys()


def test_settings_of_ones_own_come_on_top() -> None:
    app = evaluated(settings={"UPPER_LIMIT": 0.9, "GAUGE_SCHEDULE": "45 * * * * *"})
    body = FUNCTION_APP.of("module")["site"].value["params"]["siteConfig"]["appSettings"]
    values = {one["name"]: one["value"] for one in app.value(body.node)}
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
