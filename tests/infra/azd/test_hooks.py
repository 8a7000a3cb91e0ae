"""What azd's hooks do: check the inputs, write local settings, make the webhook's application.

What they do after the code: test_after_code.py, test_smoke.py. Taking down: test_down_*.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.scripts.check_inputs import Purchase, confirm, problems, purchase
from infra.scripts.local_settings import BACKGROUND, OUTPUTS, local_settings
from infra.scripts.secure_webhook import AZURE_MONITOR, ROLE, application
from infra.scripts.tools import HookError, run
from ptu_optimizer.requests import alert_callers
from ptu_optimizer.settings import Settings
from tests.infra.azd.deployed import OUTPUTS_OF_BICEP
from tests.infra.azd.fake_azure import Machine
from tests.infra.azd.places import INFRA, template
from tests.infra.azd.test_inputs import ACCOUNT, variables
from tests.support.deployed_settings import SECRETS, loaded
from tests.support.functions import app_functions, of_type
from tests.support.schemas import ROOT

MODELS = json.loads((INFRA / "ptu-models.json").read_text(encoding="utf-8"))
USUAL = {"OPENAI_RESOURCE_ID": ACCOUNT, "PTU_DEPLOYMENTS": "gpt-4.1-ptu:gpt-4.1:50"}


# --- check_inputs --------------------------------------------------------------------------------


def said(**changes: str) -> str:
    return "\n".join(problems({**USUAL, **changes}, models=MODELS))


def test_the_usual_inputs_are_good() -> None:
    assert said() == ""
    assert purchase(USUAL) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"OPENAI_RESOURCE_ID": ""}, "azd env set OPENAI_RESOURCE_ID", id="no account"),
        pytest.param({"OPENAI_RESOURCE_ID": "acct"}, "no resource id", id="a name, not an id"),
        pytest.param({"PTU_DEPLOYMENTS": ""}, "azd env set PTU_DEPLOYMENTS", id="nothing to fill"),
        pytest.param({"PTU_DEPLOYMENTS": "ptu:gpt-4.1"}, "not name:model:ptus", id="no size"),
        pytest.param({"PTU_DEPLOYMENTS": "ptu:gpt-4.1:0"}, "not name:model:ptus", id="size 0"),
        pytest.param(
            {"PTU_DEPLOYMENTS": "a:gpt-4.1:50:b"}, "spill over to b", id="unknown spillover"
        ),
        pytest.param(
            {"PTU_SPILLOVER_DEPLOYMENTS": "b:gpt-4.1"}, "not name:model:tpm", id="no pace"
        ),
        pytest.param({"CREATE_OPENAI_ACCOUNT": "true"}, "nothing on it", id="an account of no use"),
        pytest.param({"CREATE_PTU_DEPLOYMENT": "true"}, "azd env set PTU_COUNT 15", id="no count"),
        pytest.param(
            {"CREATE_PTU_DEPLOYMENT": "true", "PTU_COUNT": "17"},
            "from 15 PTUs on, in steps of 5",
            id="between steps",
        ),
        pytest.param(
            {"CREATE_PTU_DEPLOYMENT": "true", "PTU_COUNT": "50", "PTU_MODEL": "gpt-9"},
            "ptu-models.json lacks",
            id="an unknown model",
        ),
        pytest.param(
            {"CREATE_PTU_DEPLOYMENT": "1", "PTU_COUNT": "many"}, "no number", id="no number"
        ),
        pytest.param(
            {"CREATE_PTU_DEPLOYMENT": "1", "PTU_SKU": "Provisioned"}, "there are", id="a sku"
        ),
        pytest.param({"INBOUND_PRIVATE": "true"}, "set VNET_ENABLED", id="private without network"),
        pytest.param({"HUB_RETENTION_DAYS": "14"}, "7 at most", id="too long for Standard"),
        pytest.param(
            {"ALERT_AUTHENTICATION": "entra"}, "secure_webhook", id="entra without application"
        ),
        pytest.param({"API_MANAGEMENT": "true"}, "PUBLISHER_EMAIL", id="a gateway of nobody's"),
    ],
)
def test_a_bad_input_is_told_with_what_to_do(changes: dict[str, str], says: str) -> None:
    assert says in said(**changes)


def test_all_bad_inputs_are_told_at_once() -> None:
    assert len(problems({}, models=MODELS)) == 2


def test_every_variable_that_is_checked_is_one_that_the_template_reads() -> None:
    text = (INFRA / "scripts" / "check_inputs.py").read_text(encoding="utf-8")
    read = {variable for variable, _ in variables().values()}
    checked = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', text))
    assert checked - read == {"PTU_COUNT_CONFIRMED"}


BOUGHT = {**USUAL, "CREATE_PTU_DEPLOYMENT": "true", "PTU_COUNT": "50"}


def test_what_is_bought_is_told_in_money() -> None:
    bought = purchase(BOUGHT)
    assert bought == Purchase(count=50, model="gpt-4.1", sku="GlobalProvisionedManaged")
    assert "50 PTUs of gpt-4.1" in str(bought)
    assert "36,500 USD a month" in str(bought)


def test_nothing_is_bought_before_somebody_has_said_that_it_is_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bought = purchase(BOUGHT)
    assert bought is not None
    with pytest.raises(HookError, match="azd env set PTU_COUNT_CONFIRMED 50"):
        confirm(bought, {**BOUGHT, "PTU_COUNT_CONFIRMED": "25"})
    assert "36,500 USD" in capsys.readouterr().out
    confirm(bought, {**BOUGHT, "PTU_COUNT_CONFIRMED": "50"})


# --- local_settings ------------------------------------------------------------------------------

EXAMPLE = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))["Values"]


def test_local_settings_are_on_the_services_in_azure_by_identity() -> None:
    values = local_settings(EXAMPLE, OUTPUTS_OF_BICEP, request_id_key="k" * 32)
    settings = loaded({name: value for name, value in values.items() if "." not in name})
    assert settings.event_hubs_namespace == "evhns-x.servicebus.windows.net"
    assert values.keys() & SECRETS == {"REQUEST_ID_KEY"}
    assert settings.azure_openai_api_key is None


def test_without_the_key_local_settings_say_that_it_is_missing() -> None:
    values = local_settings(EXAMPLE, OUTPUTS_OF_BICEP, request_id_key=None)
    assert "REQUEST_ID_KEY" not in values, "another key would make dead letters of what is queued"


def test_what_the_deployed_app_does_is_not_done_twice() -> None:
    assert set(BACKGROUND) == app_functions().keys() - of_type("httpTrigger").keys()
    values = local_settings(EXAMPLE, OUTPUTS_OF_BICEP, request_id_key=None)
    assert all(values[f"AzureWebJobs.{name}.Disabled"] == "true" for name in BACKGROUND)


def test_the_outputs_that_hooks_read_are_outputs() -> None:
    outputs = template("main.bicep").of("output").keys()
    given_by_azd = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID"}
    assert OUTPUTS_OF_BICEP.keys() - given_by_azd <= outputs
    assert set(OUTPUTS) <= {str(field.alias) for field in Settings.model_fields.values()}
    assert set(OUTPUTS) <= outputs


# --- the scripts, as azd runs them ---------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_provisioning_stops_before_anything_is_created(machine: Machine) -> None:
    done = machine.hook("preprovision", {})
    assert done.returncode == 1
    assert "Nothing was created yet" in done.stderr
    assert "azd env set OPENAI_RESOURCE_ID" in done.stderr
    assert machine.hook("preprovision", USUAL).returncode == 0
    assert machine.azure.changes == []


def test_a_tool_that_is_missing_is_named() -> None:
    with pytest.raises(HookError, match="azd is not installed"):
        run(["azd", "version"])


# --- secure_webhook ------------------------------------------------------------------------------


def test_the_webhooks_application_is_what_the_app_will_ask_for() -> None:
    assert ROLE == alert_callers.ROLE
    assert Settings.model_fields["alert_caller_app_id"].default == AZURE_MONITOR
    body: Any = application("ptu-alerts-dev", role_id="r")
    assert body["api"]["requestedAccessTokenVersion"] == 2
    (role,) = body["appRoles"]
    assert (role["id"], role["value"], role["allowedMemberTypes"]) == ("r", ROLE, ["Application"])
