"""postdeploy, first half: wake the app, see that its keys are there, deploy what needs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.scripts.after_code import (
    GATEWAY,
    NAME_LENGTH,
    RECEIVER,
    UTILIZATION,
    deployment_name,
    kind_of_account,
    needed_functions,
    parameters,
)
from infra.scripts.azure import Azure
from infra.scripts.function_keys import TRIES, NoKey, function_key, wait_for_keys
from infra.scripts.tools import HookError
from tests.infra.azd.deployed import (
    OUTPUTS_OF_BICEP,
    FakeApp,
    app_that_answers,
    give_keys,
    keys_url,
)
from tests.infra.azd.fake_azure import NO_RIGHT, NOT_LOGGED_IN, SUBSCRIPTION, FakeAzure, Machine
from tests.infra.azd.further import NORTH_ID, SOUTH_ID
from tests.infra.azd.places import INFRA, template
from tests.infra.azd.test_inputs import ACCOUNT
from tests.support.functions import app_functions

HOST_SAYS = (
    'ERROR: Bad Request({"error":{"code":"BadRequest","message":"Encountered an error '
    '(ServiceUnavailable) from host runtime."}})'
)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.azure.put(ACCOUNT, kind="OpenAI")
    give_keys(machine.azure, RECEIVER, "producer", "response")
    return machine


@pytest.fixture
def app() -> Iterator[FakeApp]:
    with app_that_answers() as app:
        yield app


def env(app: FakeApp, **changes: str) -> dict[str, str]:
    return {
        **OUTPUTS_OF_BICEP,
        "FUNCTION_APP_ADDRESS": app.address,
        "SMOKE_TEST": "false",
        "SMOKE_SECONDS": "0",
        **changes,
    }


# --- the parameters ------------------------------------------------------------------------------


def test_what_is_deployed_after_the_code_gets_the_parameters_that_it_has() -> None:
    variables = {
        **OUTPUTS_OF_BICEP,
        "ALERT_AUTHENTICATION": "entra",
        "ALERT_WEBHOOK_OBJECT_ID": "o",
        "ALERT_WEBHOOK_IDENTIFIER_URI": "api://a",
        "API_MANAGEMENT_NAME": "apim-x",
        "GATEWAY_CLIENT_ID": "c",
        "GATEWAY_JWT_AUDIENCE": "api://g",
        "GATEWAY_JWT_ROLES": "caller",
        "GATEWAY_TENANT_CLAIM": "azp",
        "ALERT_REFUSALS": "5",
        "ALERT_UTILIZATION": "110",
    }
    declared = template("postdeploy.bicep").of("parameter")
    kinds = {ACCOUNT: "OpenAI"}
    assert parameters(variables, kinds=kinds).keys() == declared.keys(), "each, and no other"
    least = parameters(OUTPUTS_OF_BICEP)
    assert {name for name, one in declared.items() if not one.has_default} <= least.keys()
    assert least["deployments"] == [{"name": "gpt-4.1-ptu", "deployment": "gpt-4.1-ptu"}]
    assert least["furtherResources"] == []


def test_before_provisioning_it_says_what_is_missing() -> None:
    with pytest.raises(HookError, match="run azd provision first"):
        parameters({"AZURE_ENV_NAME": "dev"})


@pytest.mark.parametrize("value", ["3.5", "many", ""])
def test_a_threshold_that_is_no_whole_number_is_told_with_the_command(value: str) -> None:
    variables = {**OUTPUTS_OF_BICEP, "ALERT_REFUSALS": value}
    if not value:
        assert "refusalThreshold" not in parameters(variables), "not set: the template's default"
        return
    with pytest.raises(HookError, match="azd env set ALERT_REFUSALS NUMBER"):
        parameters(variables)


# --- the account's kind --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        ("OpenAI", "AzureOpenAIProvisionedManagedUtilizationV2"),
        ("AIServices", "ProvisionedUtilization"),
        ("SomethingNew", None),
        ("", None),
    ],
)
def test_the_metric_is_the_one_that_the_account_has(kind: str, metric: str | None) -> None:
    found = parameters(OUTPUTS_OF_BICEP, kinds={ACCOUNT: kind})
    assert found.get("utilizationMetric") == metric


def test_the_kind_is_read_where_the_account_is(machine: Machine, app: FakeApp) -> None:
    machine.azure.put(ACCOUNT, kind="AIServices")
    done = machine.hook("postdeploy", env(app))
    assert done.returncode == 0, done.stderr
    assert deployed(machine)["utilizationMetric"] == {"value": UTILIZATION["AIServices"]}


def test_the_kind_of_each_further_account_is_read(machine: Machine, app: FakeApp) -> None:
    machine.azure.put(NORTH_ID, kind="AIServices")
    machine.azure.refuse(SOUTH_ID, NO_RIGHT)
    place = {"endpoint": "https://a", "deployment": "gpt-4.1", "model": "gpt-4.1", "ptus": 15}
    entries = [
        {"name": "north", "resource_id": NORTH_ID, **place},
        {"name": "south", "resource_id": SOUTH_ID, **place},
    ]
    done = machine.hook("postdeploy", env(app, DEPLOYMENTS=json.dumps(entries)))
    assert done.returncode == 0, done.stderr
    assert deployed(machine)["deployments"] == {"value": []}, "none on the first account"
    assert deployed(machine)["furtherResources"]["value"] == [
        {
            "resourceId": NORTH_ID,
            "deployments": [{"name": "north", "deployment": "gpt-4.1"}],
            "utilizationMetric": UTILIZATION["AIServices"],
        },
        {
            "resourceId": SOUTH_ID,
            "deployments": [{"name": "south", "deployment": "gpt-4.1"}],
            "utilizationMetric": UTILIZATION["OpenAI"],
        },
    ]
    assert f"The kind of the account {SOUTH_ID} cannot be read" in done.stderr


def test_a_kind_that_cannot_be_read_is_told_and_stops_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    azure = FakeAzure()
    azure.refuse(ACCOUNT, NO_RIGHT)
    assert kind_of_account(ACCOUNT, azure=Azure(SUBSCRIPTION, runner=azure.runner)) == ""
    assert f"The kind of the account {ACCOUNT} cannot be read" in capsys.readouterr().err


# --- the name of the deployment ------------------------------------------------------------------


def test_another_region_has_another_deployment() -> None:
    """Azure keeps the record of a deployment with its location after azd down."""
    assert deployment_name("dev", "swedencentral") == "ptu-postdeploy-dev-swedencentral"
    assert deployment_name("dev", "eastus") != deployment_name("dev", "swedencentral")


def test_the_name_is_one_that_azure_takes() -> None:
    name = deployment_name("e" * 32, "germanywestcentral")
    assert len(name) == NAME_LENGTH == 64
    assert name != deployment_name("e" * 32, "northeurope")


# --- keys ----------------------------------------------------------------------------------------


def test_functions_whose_keys_are_needed_are_the_ones_that_the_templates_read() -> None:
    assert needed_functions({}) == [RECEIVER]
    assert needed_functions({"ALERT_AUTHENTICATION": "entra"}) == []
    assert needed_functions({"API_MANAGEMENT_NAME": "apim-x"}) == [RECEIVER, *GATEWAY]
    assert {RECEIVER, *GATEWAY} <= app_functions().keys()
    gateway = (INFRA / "app" / "api-management-api.bicep").read_text(encoding="utf-8")
    assert all(f"name: '{one}'" in gateway for one in GATEWAY)


def keys_of(azure: FakeAzure, *functions: str, slept: list[float] | None = None) -> dict[str, str]:
    return wait_for_keys(
        OUTPUTS_OF_BICEP,
        functions,
        azure=Azure(SUBSCRIPTION, runner=azure.runner),
        sleep=(slept if slept is not None else []).append,
    )


def test_a_key_is_asked_for_by_the_rest_api() -> None:
    azure = FakeAzure()
    give_keys(azure, "producer")
    assert keys_of(azure, "producer") == {"producer": "key of producer"}
    (call,) = azure.calls
    assert call.startswith(f"az rest --method post --url {keys_url('producer')} ")
    assert f"--subscription {SUBSCRIPTION}" in call


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"default": ""}, id="an empty key"),
        pytest.param({"default": None}, id="null"),
        pytest.param({"other": "k"}, id="another key"),
    ],
)
def test_an_empty_answer_is_refused(answer: dict[str, Any]) -> None:
    """It would be sent as no key, and the app would answer 401."""
    azure = FakeAzure()
    azure.state["resources"][keys_url("producer")] = answer
    with pytest.raises(NoKey, match="no key of the function producer"):
        function_key(OUTPUTS_OF_BICEP, "producer", azure=Azure(SUBSCRIPTION, runner=azure.runner))


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(None, id="no key yet"),
        pytest.param(HOST_SAYS, id="the host cannot read its keys yet"),
        pytest.param('ERROR: Not Found({"error":{"code":"NotFound"}})', id="no function yet"),
    ],
)
def test_keys_that_are_not_there_yet_are_waited_for(
    error: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    azure = FakeAzure()
    slept: list[float] = []
    if error:
        azure.refuse("listkeys", error)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            azure.state["refused"].clear()
            give_keys(azure, RECEIVER)

    keys = wait_for_keys(
        OUTPUTS_OF_BICEP,
        [RECEIVER],
        azure=Azure(SUBSCRIPTION, runner=azure.runner),
        sleep=sleep,
    )
    assert keys == {RECEIVER: f"key of {RECEIVER}"}
    assert len(azure.calls) == 4
    assert capsys.readouterr().out.count("Waiting for the key") == 1


def test_patience_ends_with_what_was_said_last() -> None:
    azure = FakeAzure()
    azure.refuse("listkeys", HOST_SAYS)
    slept: list[float] = []
    with pytest.raises(HookError, match="from host runtime"):
        keys_of(azure, RECEIVER, "producer", slept=slept)
    assert len(slept) == TRIES - 1, "for all functions together"


@pytest.mark.parametrize(
    "error", [pytest.param(NO_RIGHT, id="no rights"), pytest.param(NOT_LOGGED_IN, id="no login")]
)
def test_what_does_not_come_by_waiting_is_told_at_once(error: str) -> None:
    azure = FakeAzure()
    azure.refuse("listkeys", error)
    with pytest.raises(HookError):
        keys_of(azure, RECEIVER)
    assert len(azure.calls) == 1


# --- the hook, as azd runs it --------------------------------------------------------------------


def deployed(machine: Machine) -> dict[str, Any]:
    (call,) = [
        one for one in machine.azure.state["calls"] if one[1:4] == ["deployment", "sub", "create"]
    ]
    *_, file = call
    return dict(json.loads(file)["parameters"])


def test_the_app_is_woken_before_its_keys_are_asked_for(machine: Machine, app: FakeApp) -> None:
    """Metadata of a function prove nothing of the host that keeps its key."""
    done = machine.hook("postdeploy", env(app))
    assert done.returncode == 0, done.stderr
    assert app.paths() == ["GET /health"]
    kinds = [one.split(" --")[0] for one in machine.azure.calls]
    assert kinds == ["az rest", "az rest", "az deployment sub create"]
    assert keys_url(RECEIVER) in machine.azure.calls[0]


def test_an_app_that_is_not_awake_is_not_asked_for_keys(machine: Machine, app: FakeApp) -> None:
    app.answers["/health"] = [(503, "starting")]
    done = machine.hook("postdeploy", env(app))
    assert done.returncode == 1
    assert "GET /health still answers 503: starting" in done.stderr
    assert machine.azure.calls == []


def test_settings_that_the_app_refuses_end_the_wait_at_once(machine: Machine, app: FakeApp) -> None:
    app.answers["/health"] = [
        (
            503,
            {
                "error": {
                    "message": "The settings are not usable.",
                    "type": "service_unavailable",
                    "param": None,
                    "code": "bad_settings",
                    "details": [{"setting": "DEPLOYMENTS"}, {"setting": "UPPER_LIMIT"}],
                }
            },
        )
    ]
    # with patience left: it is not that which ends the wait
    done = machine.hook("postdeploy", env(app, SMOKE_SECONDS="5"))
    assert done.returncode == 1
    assert "does not accept its settings: DEPLOYMENTS, UPPER_LIMIT" in done.stderr
    assert app.paths() == ["GET /health"]


def test_an_app_in_a_network_is_not_woken_from_here(machine: Machine, app: FakeApp) -> None:
    done = machine.hook("postdeploy", env(app, INBOUND_PRIVATE="true"))
    assert done.returncode == 0, done.stderr
    assert app.asked == []
    assert deployed(machine)


def test_after_the_code_the_rest_is_deployed_and_no_key_is_handed_over(
    machine: Machine, app: FakeApp
) -> None:
    done = machine.hook("postdeploy", env(app))
    assert done.returncode == 0, done.stderr
    given = deployed(machine)
    assert given["functionAppName"] == {"value": "func-x"}
    assert given["deployments"]["value"] == [{"name": "gpt-4.1-ptu", "deployment": "gpt-4.1-ptu"}]
    assert given["utilizationMetric"] == {"value": UTILIZATION["OpenAI"]}
    assert "key of" not in json.dumps(machine.azure.state["calls"])
    assert "key of" not in done.stdout + done.stderr
    (create,) = [one for one in machine.azure.calls if "sub create" in one]
    assert "--name ptu-postdeploy-dev-swedencentral " in create


def test_every_command_names_its_subscription(machine: Machine, app: FakeApp) -> None:
    """The default of az may be another one than azd's."""
    app.answers["/producer"] = [(400, "no")]
    machine.hook("postdeploy", env(app, SMOKE_TEST="true"))
    assert len(machine.azure.calls) >= 4
    assert all(f"--subscription {SUBSCRIPTION}" in one for one in machine.azure.calls)


def test_a_failed_deployment_stops_the_hook(machine: Machine, app: FakeApp) -> None:
    machine.azure.refuse("deployment sub create", "ERROR: (InvalidTemplate) no")
    done = machine.hook("postdeploy", env(app, SMOKE_TEST="true"))
    assert done.returncode == 1
    assert "az deployment sub create failed: (InvalidTemplate) no" in done.stderr
    assert app.paths() == ["GET /health"], "no smoke test of what is not complete"
