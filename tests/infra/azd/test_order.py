"""What is created before what, and to which subscription and group each part is deployed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.infra.azd.places import INFRA, template
from tests.support.bicep.dependencies import dependencies, waits_for
from tests.support.bicep.evaluate import GROUP, Evaluation
from tests.support.bicep.syntax import parse, walk

MAIN = template("main.bicep")
ACCOUNT = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/ai"
    "/providers/Microsoft.CognitiveServices/accounts/acct"
)


# --- order ---------------------------------------------------------------------------------------


def test_the_app_starts_when_its_roles_and_the_ways_to_its_services_are_there() -> None:
    """A process that starts earlier finds no vault and no hub."""
    assert {"appRoles", "appStorageRole", "dataEndpoints", "network", "vault"} <= waits_for(
        MAIN, "functionApp"
    )


def test_the_endpoint_of_the_app_comes_after_the_app_and_no_other_one_does() -> None:
    assert "functionApp" in dependencies(MAIN)["appEndpoint"]
    assert "functionApp" not in waits_for(MAIN, "dataEndpoints")
    made = {
        name
        for name, one in MAIN.of("module").items()
        if one.type == "core/private-endpoints.bicep"
    }
    assert made == {"dataEndpoints", "appEndpoint"}


def test_the_role_on_the_storage_account_waits_for_storage_alone() -> None:
    """It needs time to spread before azd deploys the code by it, and nobody else can try it."""
    assert dependencies(MAIN)["appStorageRole"] == {"identity", "storage", "group"}
    assert waits_for(MAIN, "appStorageRole") == {"identity", "storage", "group"}


def test_endpoints_wait_for_the_zones_that_their_names_are_looked_up_in() -> None:
    assert "zone" in dependencies(template("core/private-endpoints.bicep"))["endpoint"]


def test_a_planted_cut_in_the_order_is_found() -> None:
    path = INFRA / "main.bicep"
    text = path.read_text(encoding="utf-8")
    cut = parse(text.replace("appStorageRole, dataEndpoints]", "appStorageRole]"), path=path)
    assert "dataEndpoints" not in waits_for(cut, "functionApp")


# --- scopes --------------------------------------------------------------------------------------

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def scopes(**parameters: Any) -> dict[str, list[str]]:
    """By module that is deployed elsewhere than to the group that is created, its scope."""
    evaluation = Evaluation(
        MAIN, parameters={"environmentName": "dev", "location": "x", **parameters}
    )
    found = {}
    for name, module in MAIN.of("module").items():
        given = module.value["scope"]
        if given.text == "group":
            continue
        (call, *_) = [one for one in walk(given.node) if one.type == "call_expression"]
        arguments = call.named_children[-1].named_children
        for number, local in enumerate(evaluation.rounds(module)):
            each = f"{name}[{number}]" if local else name
            found[each] = [evaluation.value(one, local) for one in arguments]
    return found


ELSEWHERE = {"openAi", "openAiDeployments", "metricsReader", "nextOpenAi"}


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({}, id="nothing is set"),
        pytest.param({"openAiResourceId": ACCOUNT}, id="an account that exists"),
        pytest.param({"createOpenAiAccount": True}, id="an account of one's own"),
        pytest.param({"openAiResourceId": ACCOUNT, "apiManagement": True}, id="a gateway"),
        pytest.param(
            {"openAiResourceId": ACCOUNT, "nextOpenAiResourceId": ACCOUNT}, id="a next account"
        ),
    ],
)
def test_every_scope_is_a_subscription_that_azure_can_read(parameters: dict[str, Any]) -> None:
    """Azure reads the scope of a module whose condition is false, too, and refuses a name."""
    found = scopes(**parameters)
    assert found.keys() == ELSEWHERE
    for name, (subscription, *_) in found.items():
        assert GUID.fullmatch(subscription), name


def test_an_account_that_is_not_asked_for_stands_in_the_own_group() -> None:
    assert scopes(openAiResourceId=ACCOUNT)["nextOpenAi"] == [GROUP.split("/")[2], "rg-dev"]
    assert scopes(openAiResourceId=ACCOUNT, nextOpenAiResourceId=ACCOUNT)["nextOpenAi"] == [
        "11111111-1111-1111-1111-111111111111",
        "ai",
    ]
