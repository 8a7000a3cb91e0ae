"""Accounts beside the first one: what the templates make of them, up to the app and its alerts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.scripts.after_code import UTILIZATION
from infra.scripts.after_code import parameters as after_code
from ptu_optimizer.backends.backend import Resource
from ptu_optimizer.settings.deployments import DeploymentSettings
from tests.infra.azd import further
from tests.infra.azd.deployed import OUTPUTS_OF_BICEP
from tests.infra.azd.further import (
    FURTHER,
    NORTH_ID,
    NORTH_SUBSCRIPTION,
    SOUTH_ID,
    SOUTH_SUBSCRIPTION,
    with_further_accounts,
)
from tests.infra.azd.places import template
from tests.infra.azd.test_inputs import ACCOUNT, USUAL, deployments_given
from tests.infra.azd.test_settings import evaluated as function_app
from tests.infra.azd.test_settings import read_by_the_app
from tests.support.bicep.evaluate import Evaluation, Failed
from tests.support.deployed_settings import loaded

MAIN = template("main.bicep")
MODULES = MAIN.of("module")
FUNCTION_APP = template("app/function-app.bicep")
POSTDEPLOY = template("postdeploy.bicep")
RULES = template("app/openai-alerts.bicep")
APP = {"outputs": {"principalId": "app", "resourceId": "/id", "clientId": "c"}}
DEPLOYER = "00000000-0000-0000-0000-00000000000d"


def main(**changes: Any) -> Evaluation:
    """main.bicep with both further accounts."""
    given = {**USUAL, **further.parameters(FURTHER), **changes}
    return with_further_accounts(given, identity=APP)


def made(evaluation: Evaluation, module: str) -> list[dict[str, Any]]:
    """`name`, `scope` and `params` of each round of a module."""
    declared = MODULES[module]
    body = declared.value
    return [
        {
            "name": evaluation.value(body["name"].node, local),
            "scope": evaluation.value(body["scope"].node, local),
            "params": {
                name: evaluation.value(given.node, local) for name, given in body["params"].items()
            },
        }
        for local in evaluation.rounds(declared)
    ]


# --- no further account --------------------------------------------------------------------------


def test_without_one_everything_is_as_before() -> None:
    evaluation = with_further_accounts(USUAL, identity=APP)
    assert made(evaluation, "furtherOpenAi") == []
    assert made(evaluation, "furtherMetricsReader") == []
    assert read_by_the_app(**deployments_given(evaluation)) == read_by_the_app()
    assert read_by_the_app()["DEPLOYMENTS"] == (
        '[{"name":"gpt-4.1-ptu","model":"gpt-4.1","ptus":50}]'
    )
    assert after_code(OUTPUTS_OF_BICEP)["furtherResources"] == []


# --- the app -------------------------------------------------------------------------------------


def backends(settings: DeploymentSettings) -> dict[str, Any]:
    first = Resource(
        endpoint="https://acct.openai.azure.com/",
        api_version="v1",
        api_key=None,
        resource_id=ACCOUNT,
        monitor_endpoint="https://swedencentral.metrics.monitor.azure.com",
    )
    return {one.name: one for one in settings.backends(first)}


def test_the_app_calls_each_deployment_where_it_is() -> None:
    found = backends(loaded(read_by_the_app(**deployments_given(main()))))
    assert list(found) == ["gpt-4.1", "north", "south", "payg-north"], "the first is the default"
    places = {
        name: (one.deployment, one.resource.resource_id, one.resource.endpoint)
        for name, one in found.items()
    }
    north = "https://acct-north.openai.azure.com/"
    assert places == {
        "gpt-4.1": ("gpt-4.1", ACCOUNT, "https://acct.openai.azure.com/"),
        "north": ("gpt-4.1", NORTH_ID, north),
        "south": ("gpt-4.1", SOUTH_ID, "https://acct-south.openai.azure.com/"),
        "payg-north": ("payg", NORTH_ID, north),
    }
    assert found["south"].spillover == "payg-north"
    assert found["payg-north"].requests_per_minute == 600


def test_metrics_are_read_in_the_region_of_each_account() -> None:
    found = backends(loaded(read_by_the_app(**deployments_given(main()))))
    assert {name: one.resource.monitor_endpoint for name, one in found.items()} == {
        "gpt-4.1": "https://swedencentral.metrics.monitor.azure.com",
        "north": "https://northeurope.metrics.monitor.azure.com",
        "south": "https://southeurope.metrics.monitor.azure.com",
        "payg-north": "https://northeurope.metrics.monitor.azure.com",
    }


def test_what_the_hooks_and_a_local_app_are_told_is_what_the_app_has() -> None:
    outputs = MAIN.of("output")
    assert outputs["DEPLOYMENTS"].value.text == "functionApp.outputs.deployments"
    assert outputs["SPILLOVER_DEPLOYMENTS"].value.text == (
        "functionApp.outputs.spilloverDeployments"
    )
    app = function_app(**deployments_given(main()))
    told = FUNCTION_APP.of("output")
    assert app.value(told["deployments"].value.node) == app["ours"]["DEPLOYMENTS"]
    assert (
        app.value(told["spilloverDeployments"].value.node) == app["ours"]["SPILLOVER_DEPLOYMENTS"]
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"ptuDeployments": "a@west:gpt-4.1:50"},
        {"spilloverDeployments": "a@west:gpt-4.1:50"},
    ],
)
def test_an_account_that_is_not_named_is_refused_with_what_to_do(changes: dict[str, str]) -> None:
    with pytest.raises(Failed, match="azd env set FURTHER_OPENAI_RESOURCES west="):
        deployments_given(main(**changes))


# --- roles ---------------------------------------------------------------------------------------


def test_the_app_may_call_each_account_where_it_lies() -> None:
    north, south = made(main(), "furtherOpenAi")
    assert north["scope"]["id"] == f"/subscriptions/{NORTH_SUBSCRIPTION}/resourceGroups/ai-north"
    assert south["scope"]["id"] == f"/subscriptions/{SOUTH_SUBSCRIPTION}/resourceGroups/ai-south"
    assert [one["params"]["accountName"] for one in (north, south)] == ["acct-north", "acct-south"]
    app = {"id": "app", "type": "ServicePrincipal"}
    assert [one["params"]["callers"] for one in (north, south)] == [[app], [app]]


def test_who_has_the_data_roles_may_call_them_on_request() -> None:
    north, south = made(main(principalMayCallOpenAi=True), "furtherOpenAi")
    person = {"id": DEPLOYER, "type": "User"}
    assert north["params"]["callers"][1:] == south["params"]["callers"][1:] == [person]
    (nobody, _) = made(main(principalMayCallOpenAi=True, dataRoles="nobody"), "furtherOpenAi")
    assert len(nobody["params"]["callers"]) == 1


def test_no_two_assignments_of_the_role_have_one_name() -> None:
    """Each is named by the id of its account, which holds its subscription and group."""
    access = template("app/openai-access.bicep").of("resource")["user"].value
    assert access["name"].text == "guid(account.id, caller.id, 'openai-user')"


def subscriptions(**changes: Any) -> list[str]:
    """Where further assignments of Monitoring Reader are made."""
    return [one["scope"]["subscriptionId"] for one in made(main(**changes), "furtherMetricsReader")]


FIRST_SUBSCRIPTION = ACCOUNT.split("/")[2]
SECOND_OF_NORTH = NORTH_ID.replace("acct-north", "acct-2").replace("ai-north", "AI-2")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [NORTH_SUBSCRIPTION, SOUTH_SUBSCRIPTION], id="of both"),
        pytest.param({"assignMonitoringReader": False}, [], id="not asked for"),
        pytest.param(
            {"ptuDeployments": "a:gpt-4.1:50,b@south:gpt-4.1:50"},
            [SOUTH_SUBSCRIPTION],
            id="not of an account that is only spilled over to",
        ),
        pytest.param(
            {"furtherOpenAiResources": f"north={NORTH_ID},south={SECOND_OF_NORTH}"},
            [NORTH_SUBSCRIPTION],
            id="once for two accounts of a subscription",
        ),
        pytest.param(
            {
                "furtherOpenAiResources": f"north={NORTH_ID},south="
                + SOUTH_ID.replace(SOUTH_SUBSCRIPTION, FIRST_SUBSCRIPTION)
            },
            [NORTH_SUBSCRIPTION],
            id="not again in the subscription of the first account",
        ),
        pytest.param(
            {
                "furtherOpenAiResources": f"north={NORTH_ID},south={SECOND_OF_NORTH}",
                "ptuDeployments": "a@south:gpt-4.1:50",
            },
            [NORTH_SUBSCRIPTION],
            id="where only the second account of a subscription has PTUs",
        ),
    ],
)
def test_metrics_may_be_read_once_in_each_subscription_with_ptus(
    changes: dict[str, Any], expected: list[str]
) -> None:
    """Azure refuses a second assignment of a role."""
    assert subscriptions(**changes) == expected


def test_no_two_deployments_of_a_group_have_one_name() -> None:
    """Two accounts may lie in one group, also in that of the first account."""
    names = [
        one["name"]
        for evaluation in [main()]
        for module in ("furtherOpenAi", "furtherMetricsReader", "openAi", "metricsReader")
        for one in (
            [
                {"name": evaluation.value(MODULES[module].value["name"].node, local)}
                for local in evaluation.rounds(MODULES[module])
            ]
        )
    ]
    assert len(names) == len(set(names)) == 6
    assert all(len(one) <= 64 for one in names)


def test_the_app_starts_when_its_addresses_are_known() -> None:
    text = MODULES["functionApp"].value["params"]["furtherAccounts"].node.text.decode()
    assert "furtherOpenAi[index].outputs.endpoint" in text


# --- alerts --------------------------------------------------------------------------------------


def outputs() -> dict[str, str]:
    app = function_app(**deployments_given(main()))["ours"]
    return {**OUTPUTS_OF_BICEP, "DEPLOYMENTS": app["DEPLOYMENTS"]}


def rules(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By group and name, the rules that postdeploy.bicep makes."""
    evaluation = Evaluation(POSTDEPLOY, parameters=given)
    found: dict[str, dict[str, Any]] = {}
    for name in ("rules", "furtherRules"):
        declared = POSTDEPLOY.of("module")[name]
        for local in evaluation.rounds(declared):
            params = {
                key: evaluation.value(one.node, local)
                for key, one in declared.value["params"].items()
                if key not in {"actionGroupId"}
            }
            group = evaluation.value(declared.value["scope"].node, local)["id"]
            inner = Evaluation(
                RULES,
                parameters={**params, "actionGroupId": "/brake"},
                given={"account": {"id": f"{group}/{params['accountName']}"}},
            )
            for rule in RULES.of("resource").values():
                for each in [] if rule.existing else inner.rounds(rule):
                    body = inner.value(rule.node.named_children[-1].named_children[-1], each)
                    key = f"{group}/{body['name']}"
                    assert key not in found, "a second rule would replace the first"
                    found[key] = body
    return found


def test_each_ptu_deployment_has_its_rules_in_the_group_of_its_account() -> None:
    found = rules(after_code(outputs()))
    expected = {
        ("ai", "gpt-4.1", "acct"),
        ("ai-north", "north", "acct-north"),
        ("ai-south", "south", "acct-south"),
    }
    for body in found.values():
        criteria = body["properties"]["criteria"]["allOf"][0]
        names = {one["name"]: one["values"] for one in criteria["dimensions"]}
        assert names["ModelDeploymentName"] == ["gpt-4.1"], "its name in Azure"
        assert body["location"] == "global"
        assert body["properties"]["actions"] == [{"actionGroupId": "/brake"}]
    where = {key: body["properties"]["scopes"][0] for key, body in found.items()}
    assert {
        (key.split("/")[4], key.rpartition("-refusals-")[2], scope.rpartition("/")[2])
        for key, scope in where.items()
        if "-refusals-" in key
    } == expected
    assert len(found) == 2 * len(expected)


def test_accounts_of_one_group_have_rules_of_different_names() -> None:
    given = after_code(outputs())
    for one in given["furtherResources"]:
        name = one["resourceId"].rpartition("/")[2]
        one["resourceId"] = ACCOUNT.replace("acct", name)
    assert len(rules(given)) == 6


def test_the_metric_follows_the_kind_of_each_account() -> None:
    given = after_code(outputs(), kinds={ACCOUNT: "OpenAI", NORTH_ID: "AIServices", SOUTH_ID: ""})
    assert [one["utilizationMetric"] for one in given["furtherResources"]] == [
        UTILIZATION["AIServices"],
        UTILIZATION["OpenAI"],
    ]
    assert given["utilizationMetric"] == UTILIZATION["OpenAI"]


def test_an_account_that_is_only_spilled_over_to_has_no_rules() -> None:
    app = function_app(**deployments_given(main(ptuDeployments="a:gpt-4.1:50")))["ours"]
    assert "north" in app["SPILLOVER_DEPLOYMENTS"]
    given = after_code({**OUTPUTS_OF_BICEP, "DEPLOYMENTS": app["DEPLOYMENTS"]})
    assert given["furtherResources"] == []
    assert json.dumps(given["deployments"]) == '[{"name": "a", "deployment": "a"}]'
