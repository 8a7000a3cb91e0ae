"""What may be asked for: parameters, their variables, and what the templates make of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ptu_optimizer.capacity.work import known_models
from tests.infra.azd.places import INFRA, template
from tests.infra.azd.test_settings import read_by_the_app
from tests.support.bicep.evaluate import Evaluation, Failed
from tests.support.deployed_settings import loaded

MAIN = template("main.bicep")
PARAMETERS = MAIN.of("parameter")
FILE = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
MODELS = json.loads((INFRA / "ptu-models.json").read_text(encoding="utf-8"))

ACCOUNT = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/ai"
    "/providers/Microsoft.CognitiveServices/accounts/acct"
)
USUAL = {
    "environmentName": "dev",
    "location": "swedencentral",
    "openAiResourceId": ACCOUNT,
    "ptuDeployments": "gpt-4.1-ptu:gpt-4.1:50",
}


def main(**changes: Any) -> Evaluation:
    return Evaluation(MAIN, parameters={**USUAL, **changes})


def deployments_given(evaluated: Evaluation) -> dict[str, Any]:
    """What main.bicep hands to the Function App about deployments and their accounts."""
    site = MAIN.of("module")["functionApp"].value["params"]
    names = ("deployments", "spilloverDeployments", "furtherAccounts")
    return {name: evaluated.value(site[name].node) for name in names}


# --- main.parameters.json ------------------------------------------------------------------------


def test_every_value_of_the_file_is_a_parameter() -> None:
    assert FILE.keys() - PARAMETERS.keys() == set()


def test_every_parameter_without_a_default_is_in_the_file() -> None:
    assert {name for name, one in PARAMETERS.items() if not one.has_default} <= FILE.keys()


def variables() -> dict[str, tuple[str, str | None]]:
    """By parameter, the variable of azd's environment and its default, if it names one."""
    found = {}
    for name, one in FILE.items():
        if isinstance(one["value"], str):
            match = re.fullmatch(r"\$\{([A-Z_]+)(?:=(.*))?\}", one["value"])
            assert match, one["value"]
            found[name] = (match[1], match[2])
    return found


def test_no_two_parameters_share_a_variable() -> None:
    names = [variable for variable, _ in variables().values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", [name for name, (_, given) in variables().items() if given])
def test_the_file_and_the_template_agree_on_the_default(name: str) -> None:
    _, given = variables()[name]
    declared = PARAMETERS[name].value
    text = str(declared).lower() if isinstance(declared, bool) else str(declared)
    assert given == text


def test_no_input_is_named_as_an_output() -> None:
    """Outputs become variables: an input of that name would be overwritten."""
    inputs = {variable for variable, _ in variables().values()}
    outputs = set(MAIN.of("output"))
    assert inputs & outputs == set()


# --- the account ---------------------------------------------------------------------------------


def test_an_account_in_another_subscription_is_reached_there() -> None:
    evaluated = main()
    assert evaluated["accountSubscription"] == "11111111-1111-1111-1111-111111111111"
    assert evaluated["accountGroup"] == "ai"
    assert evaluated["accountName"] == "acct"


def test_an_account_of_the_apps_own_is_in_its_group() -> None:
    evaluated = main(openAiResourceId="", createOpenAiAccount=True)
    assert evaluated["accountGroup"] == "rg-dev"
    assert evaluated["accountName"] == "cog-0123456789abc"


def test_without_an_account_it_is_refused_with_what_to_do() -> None:
    with pytest.raises(Failed, match="azd env set OPENAI_RESOURCE_ID"):
        _ = main(openAiResourceId="")["accountName"]


def test_nothing_is_created_on_an_account_that_exists() -> None:
    assert main()["created"] == []
    text = (INFRA / "main.bicep").read_text(encoding="utf-8")
    assert "module openAiDeployments 'app/openai-deployments.bicep' = if (!empty(created))" in text
    assert "module openAiAccount 'app/openai-account.bicep' = if (createOpenAiAccount)" in text
    access = template("app/openai-access.bicep").resources
    changed = {one.resource_type for one in access if not one.existing}
    assert changed == {"Microsoft.Authorization/roleAssignments"}


# --- deployments ---------------------------------------------------------------------------------


def test_deployments_are_written_as_the_app_reads_them() -> None:
    evaluated = main(
        ptuDeployments="gpt-4.1-ptu:gpt-4.1:50:payg, o3-ptu:o3:100",
        spilloverDeployments="payg:gpt-4.1:100000:600",
    )
    settings = loaded(read_by_the_app(**deployments_given(evaluated)))
    first, second = settings.deployments
    assert (first.name, first.model, first.ptus, first.spillover) == (
        "gpt-4.1-ptu",
        "gpt-4.1",
        50,
        "payg",
    )
    assert (second.name, second.ptus, second.spillover) == ("o3-ptu", 100, None)
    (payg,) = settings.spillover_deployments
    assert (payg.name, payg.tpm, payg.rpm) == ("payg", 100_000, 600)


def test_without_a_deployment_to_fill_it_is_refused_with_what_to_do() -> None:
    with pytest.raises(Failed, match="azd env set PTU_DEPLOYMENTS"):
        _ = main(ptuDeployments="")["deployments"]


def test_no_ptu_is_bought_unless_it_is_asked_for() -> None:
    assert PARAMETERS["createPtuDeployment"].value is False
    assert PARAMETERS["ptuCount"].value == 0, "a count is never guessed"
    assert PARAMETERS["createSpilloverDeployment"].value is False


def test_what_it_costs_is_said_where_it_is_asked_for() -> None:
    said = str(PARAMETERS["createPtuDeployment"].decorators["description"])
    assert "COSTS THOUSANDS A MONTH" in said


@pytest.mark.parametrize(
    ("model", "sku", "count", "fits"),
    [
        pytest.param("gpt-4.1", "GlobalProvisionedManaged", 15, True, id="the least"),
        pytest.param("gpt-4.1", "GlobalProvisionedManaged", 20, True, id="a step more"),
        pytest.param("gpt-4.1", "GlobalProvisionedManaged", 14, False, id="less than the least"),
        pytest.param("gpt-4.1", "GlobalProvisionedManaged", 17, False, id="between steps"),
        pytest.param("gpt-4.1", "DataZoneProvisionedManaged", 15, True, id="data zone"),
        pytest.param("gpt-4.1", "ProvisionedManaged", 15, False, id="regional is larger"),
        pytest.param("gpt-4.1", "ProvisionedManaged", 100, True, id="regional, two steps"),
        pytest.param("o1", "ProvisionedManaged", 25, True, id="a step other than the least"),
        pytest.param("o1", "ProvisionedManaged", 50, False, id="steps begin at the least"),
        pytest.param("o1", "ProvisionedManaged", 75, True, id="one step on"),
        pytest.param("gpt-4.1", "GlobalProvisionedManaged", 0, False, id="no count"),
        pytest.param("gpt-6", "GlobalProvisionedManaged", 15, False, id="an unknown model"),
    ],
)
def test_a_count_that_the_model_cannot_have_is_refused(
    model: str, sku: str, count: int, fits: bool
) -> None:
    evaluated = main(createPtuDeployment=True, ptuModel=model, ptuSku=sku, ptuCount=count)
    if fits:
        (created,) = evaluated["created"]
        assert created["capacity"] == count
        entry = {"name": "ptu", "model": model, "ptus": count}
        assert {"label": "", "entry": entry} in evaluated["deployments"]
    else:
        with pytest.raises(Failed, match=f"ptuCount is {count}"):
            _ = evaluated["created"]


def test_the_models_are_ones_that_the_app_knows() -> None:
    assert MODELS.keys() <= known_models().keys()


def test_spillover_is_created_on_request_and_the_app_told_of_it() -> None:
    evaluated = main(
        createPtuDeployment=True,
        ptuCount=15,
        createSpilloverDeployment=True,
        spilloverThousandTpm=50,
        ptuDeployments="",
    )
    ptu, payg = evaluated["created"]
    assert (ptu["sku"], payg["sku"], payg["capacity"]) == (
        "GlobalProvisionedManaged",
        "GlobalStandard",
        50,
    )
    assert evaluated["deployments"][0]["entry"]["spillover"] == payg["name"]
    entry = {"name": "payg", "model": "gpt-4.1", "tpm": 50_000}
    assert evaluated["createdSpillover"] == [{"label": "", "entry": entry}]


def test_a_created_deployment_does_not_spill_over_by_itself() -> None:
    body = template("app/openai-deployments.bicep").of("resource")["deployment"].value
    assert "spilloverDeploymentName" not in body["properties"]


# --- the rest ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sku", "days", "good"), [("Standard", 7, True), ("Standard", 8, False), ("Premium", 90, True)]
)
def test_retention_is_what_the_tier_allows(sku: str, days: int, good: bool) -> None:
    evaluated = main(eventHubsSku=sku, hubRetentionDays=days)
    asked = MAIN.of("module")["eventHubs"].value["params"]["retentionDays"]
    if good:
        assert evaluated.value(asked.node) == days
    else:
        with pytest.raises(Failed, match="7 days at most"):
            evaluated.value(asked.node)


def test_api_management_is_told_whom_to_write_to() -> None:
    asked = MAIN.of("module")["gateway"].value["params"]["publisherEmail"]
    with pytest.raises(Failed, match="apiManagementPublisherEmail"):
        main(apiManagement=True).value(asked.node)


def test_the_key_of_request_ids_is_long_enough_and_written_once() -> None:
    assert len(main()["requestIdKey"]) >= 64
    secret = template("core/key-vault.bicep").of("resource")["secret"]
    assert "onlyIfNotExists" in secret.decorators
    assert "secure" in PARAMETERS["requestIdKey"].decorators
    assert "requestIdKey" not in FILE, "it must not be kept in azd's environment"


def test_names_keep_within_their_limits() -> None:
    token = "0123456789abc"
    content = json.loads((INFRA / "abbreviations.json").read_text(encoding="utf-8"))
    assert len(content["storageStorageAccounts"] + token) <= 24
    assert len(content["keyVaultVaults"] + token) <= 24
    assert len(main()["deploymentContainer"]) <= 63
