"""What azd's hooks do: check the inputs, write local settings, make the webhook's application.

What they do after the code: test_after_code.py, test_smoke.py. Taking down: test_down_*.py.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from infra.scripts.local_settings import BACKGROUND, OUTPUTS, local_settings
from infra.scripts.local_settings import hook as local_settings_hook
from infra.scripts.secure_webhook import AZURE_MONITOR, ROLE, application
from infra.scripts.tools import HookError, run
from ptu_optimizer.feeds import alert_callers
from ptu_optimizer.settings.settings import Settings
from tests.infra.azd.deployed import OUTPUTS_OF_BICEP
from tests.infra.azd.fake_azure import SUBSCRIPTION, Machine
from tests.infra.azd.places import template
from tests.support.deployed_settings import SECRETS, loaded
from tests.support.functions import app_functions, of_type
from tests.support.schemas import ROOT

# --- local_settings ------------------------------------------------------------------------------

EXAMPLE = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))["Values"]


def test_local_settings_are_on_the_services_in_azure_by_identity() -> None:
    values = local_settings(EXAMPLE, OUTPUTS_OF_BICEP)
    settings = loaded({name: value for name, value in values.items() if "." not in name})
    assert settings.event_hubs_namespace == "evhns-x.servicebus.windows.net"
    assert settings.request_id_key_uri == OUTPUTS_OF_BICEP["REQUEST_ID_KEY_URI"]
    assert settings.azure_openai_api_key is None


def test_no_secret_is_written_to_the_disk(tmp_path: Path) -> None:
    target = tmp_path / "local.settings.json"
    local_settings_hook(OUTPUTS_OF_BICEP, target=target)
    assert json.loads(target.read_text())["Values"].keys() & SECRETS == set()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target], "no half-written file is left"


def test_a_key_of_ones_own_must_be_put_into_the_local_settings_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With another key a local app would make dead letters of what the deployed one has queued."""
    target = tmp_path / "local.settings.json"
    local_settings_hook({**OUTPUTS_OF_BICEP, "REQUEST_ID_KEY_URI": ""}, target=target)
    values = json.loads(target.read_text())["Values"]
    assert ("REQUEST_ID_KEY" in values, values["REQUEST_ID_KEY_URI"]) == (False, "")
    assert "put the same one into local.settings.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "pipeline", [{"CI": "true"}, {"TF_BUILD": "True"}], ids=["GitHub", "Azure DevOps"]
)
def test_a_pipeline_gets_no_local_settings(tmp_path: Path, pipeline: dict[str, str]) -> None:
    target = tmp_path / "local.settings.json"
    local_settings_hook({**OUTPUTS_OF_BICEP, **pipeline}, target=target)
    assert not target.exists()


def test_what_the_deployed_app_does_is_not_done_twice() -> None:
    assert set(BACKGROUND) == app_functions().keys() - of_type("httpTrigger").keys()
    values = local_settings(EXAMPLE, OUTPUTS_OF_BICEP)
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
    done = machine.hook(
        "preprovision",
        {
            "AZURE_ENV_NAME": "dev",
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
            "AZURE_LOCATION": "swedencentral",
        },
    )
    assert done.returncode == 1
    assert "azd env set OPENAI_RESOURCE_ID" in done.stderr
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
