"""With a network: endpoints of all services, each in the zones of its service's names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.infra.azd.further import NORTH_ID, SOUTH_ID
from tests.infra.azd.places import INFRA, TEMPLATES, named, template
from tests.support.bicep.evaluate import GROUP, Evaluation
from tests.support.bicep.syntax import Expression, Loop

MAIN = template("main.bicep")
ENDPOINTS = template("core/private-endpoints.bicep")
SERVICES = {
    name: {"outputs": {"id": f"/{name}"}}
    for name in ("storage", "eventHubs", "cosmos", "vault", "openAi", "functionApp")
}
OF_AZURE_OPENAI = [
    "privatelink.openai.azure.com",
    "privatelink.cognitiveservices.azure.com",
    "privatelink.services.ai.azure.com",
]
"""Microsoft, "Private endpoint DNS zone values": an account of kind AIServices answers by a name in
the second and third."""


def endpoints(module: str, **parameters: Any) -> dict[str, Any]:
    """`zones` and, by name, `endpoints` of one of the two modules."""
    evaluation = Evaluation(
        MAIN,
        parameters={"environmentName": "dev", "location": "x", **parameters},
        given=SERVICES,
    )
    params = MAIN.of("module")[module].value["params"]
    return {name: _value(evaluation, params[name]) for name in ("zones", "endpoints")}


def _value(evaluation: Evaluation, given: Any) -> Any:
    if isinstance(given, list):
        return [_value(evaluation, one) for one in given]
    if isinstance(given, dict):
        return {name: _value(evaluation, one) for name, one in given.items()}
    return evaluation.value(given.node) if isinstance(given, Expression) else given


def names(found: dict[str, Any]) -> list[str]:
    return [one["name"] for one in found["endpoints"]]


TOKEN = "0123456789abc"
OF_DATA = ["blob", "event-hubs", "cosmos", "vault"]


def test_endpoints_keep_their_names() -> None:
    """Another name would be another endpoint, beside the one that is there."""
    data = endpoints("dataEndpoints")
    assert names(data) == [f"pep-{one}-{TOKEN}" for one in OF_DATA]
    assert names(endpoints("appEndpoint")) == [f"pep-app-{TOKEN}"]
    with_account = endpoints("dataEndpoints", openAiPrivateEndpoint=True)
    assert names(with_account) == [f"pep-{one}-{TOKEN}" for one in (*OF_DATA, "openai")]


@pytest.mark.parametrize(
    ("parameters", "has_one"),
    [
        pytest.param({}, False, id="an account that exists"),
        pytest.param({"openAiPrivateEndpoint": True}, True, id="the same, on request"),
        pytest.param({"createOpenAiAccount": True}, True, id="an account of one's own"),
    ],
)
def test_an_account_gets_all_three_zones_of_its_names(
    parameters: dict[str, Any], has_one: bool
) -> None:
    found = endpoints("dataEndpoints", **parameters)
    of_accounts = [one for one in found["endpoints"] if one["groupId"] == "account"]
    assert [one["zones"] for one in of_accounts] == ([OF_AZURE_OPENAI] if has_one else [])
    assert (set(OF_AZURE_OPENAI) <= set(found["zones"])) == has_one


def test_each_further_account_gets_an_endpoint_of_its_own_on_request() -> None:
    accounts = {"furtherOpenAiResources": f"north={NORTH_ID},south={SOUTH_ID}"}
    found = endpoints("dataEndpoints", openAiPrivateEndpoint=True, **accounts)
    of_accounts = {one["name"]: one for one in found["endpoints"] if one["groupId"] == "account"}
    assert list(of_accounts) == [
        f"pep-openai-{TOKEN}",
        f"pep-openai-north-{TOKEN}",
        f"pep-openai-south-{TOKEN}",
    ]
    assert of_accounts[f"pep-openai-north-{TOKEN}"]["resourceId"] == NORTH_ID
    assert all(one["zones"] == OF_AZURE_OPENAI for one in of_accounts.values())
    assert found["zones"][-3:] == OF_AZURE_OPENAI, "once for all of them"
    created = endpoints("dataEndpoints", createOpenAiAccount=True, **accounts)
    assert names(created)[-1] == f"pep-openai-{TOKEN}", "only what is asked for is changed"


@pytest.mark.parametrize("module", ["dataEndpoints", "appEndpoint"])
@pytest.mark.parametrize("account", [False, True], ids=["no account", "an account"])
def test_zones_are_made_once_each_and_exactly_those_that_endpoints_need(
    module: str, account: bool
) -> None:
    found = endpoints(module, openAiPrivateEndpoint=account)
    needed = [zone for one in found["endpoints"] for zone in one["zones"]]
    assert found["zones"] == needed
    assert len(set(needed)) == len(needed)


def test_no_zone_is_made_by_both_modules() -> None:
    data = endpoints("dataEndpoints", createOpenAiAccount=True)["zones"]
    assert not set(data) & set(endpoints("appEndpoint")["zones"])


def test_all_zones_of_an_endpoint_are_in_its_one_group() -> None:
    group = ENDPOINTS.of("module")["endpoint"].value["params"]["privateDnsZoneGroup"]
    configs = group["privateDnsZoneGroupConfigs"]
    assert isinstance(configs, Loop)
    found = Evaluation(ENDPOINTS).value(configs.node, {"one": {"zones": OF_AZURE_OPENAI}})
    assert found == [
        {"privateDnsZoneResourceId": f"{GROUP}/providers/Microsoft.Network/privateDnsZones/{zone}"}
        for zone in OF_AZURE_OPENAI
    ]


def test_what_endpoints_are_made_for_can_be_counted_before_anything_is_deployed() -> None:
    """`union` and `flatten` cannot be evaluated then over a value that holds `environment()`."""
    for module in ("dataEndpoints", "appEndpoint"):
        params = MAIN.of("module")[module].value["params"]
        for name in ("zones", "endpoints"):
            text = getattr(params[name], "text", "")
            assert not re.search(r"\b(union|flatten|map|filter|reduce|items)\(", text)
    text = (INFRA / "core" / "private-endpoints.bicep").read_text(encoding="utf-8")
    loops = re.findall(r"\[for \w+ in ([\w.]+):", text)
    assert loops == ["zones", "endpoints", "one.zones"]


def test_a_network_that_is_switched_off_again_leaves_no_hub_closed() -> None:
    """The rules are deployed in any case: a rule that is left out stays as it was."""
    file = template("core/event-hubs.bicep")
    text = (INFRA / "core" / "event-hubs.bicep").read_text(encoding="utf-8")
    assert re.search(r"^resource rules '[^']+' = \{$", text, re.MULTILINE)
    properties = file.of("resource")["rules"].value["properties"]
    for access, action in (("Enabled", "Allow"), ("Disabled", "Deny")):
        evaluation = Evaluation(file, parameters={"publicNetworkAccess": access})
        assert evaluation.value(properties["defaultAction"].node) == action
        assert evaluation.value(properties["publicNetworkAccess"].node) == access


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_nothing_counts_on_api_management_as_a_trusted_service(path: Any) -> None:
    """That ended on 2026-03-15: a gateway outside the network cannot reach a closed hub."""
    assert "trusted service" not in path.read_text(encoding="utf-8").lower()
