"""What azd's hooks do: check the inputs, write local settings, deploy what needs the code."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from infra.scripts.after_code import PATIENCE, RECEIVER, parameters, wait_for_the_receiver
from infra.scripts.local_settings import BACKGROUND, OUTPUTS, local_settings
from infra.scripts.secure_webhook import AZURE_MONITOR, ROLE, application
from infra.scripts.smoke import App, smoke
from infra.scripts.tools import HookError, run
from ptu_optimizer.requests import alert_callers
from ptu_optimizer.settings import Settings
from tests.infra.azd.places import INFRA, template
from tests.infra.azd.test_inputs import ACCOUNT
from tests.support.deployed_settings import SECRETS, loaded
from tests.support.functions import app_functions, of_type
from tests.support.schemas import ROOT

OUTPUTS_OF_BICEP = {
    "AZURE_ENV_NAME": "dev",
    "AZURE_LOCATION": "swedencentral",
    "AZURE_SUBSCRIPTION_ID": "11111111-1111-1111-1111-111111111111",
    "AZURE_RESOURCE_GROUP": "rg-dev",
    "FUNCTION_APP_NAME": "func-x",
    "FUNCTION_APP_ADDRESS": "https://func-x.azurewebsites.net",
    "EVENT_HUBS__fullyQualifiedNamespace": "evhns-x.servicebus.windows.net",
    "COSMOS__accountEndpoint": "https://cosmos-x.documents.azure.com:443/",
    "COSMOS_DATABASE": "ptu",
    "AzureWebJobsStorage__blobServiceUri": "https://stx.blob.core.windows.net/",
    "AZURE_OPENAI_ENDPOINT": "https://acct.openai.azure.com/",
    "AZURE_OPENAI_RESOURCE_ID": ACCOUNT,
    "AZURE_MONITOR_ENDPOINT": "https://swedencentral.metrics.monitor.azure.com",
    "DEPLOYMENTS": '[{"name":"gpt-4.1-ptu","model":"gpt-4.1","ptus":50}]',
    "SPILLOVER_DEPLOYMENTS": "[]",
    "KEY_VAULT_NAME": "kv-x",
}


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


# --- after_code ----------------------------------------------------------------------------------


def test_what_is_deployed_after_the_code_gets_the_parameters_that_it_has() -> None:
    env = {
        **OUTPUTS_OF_BICEP,
        "ALERT_AUTHENTICATION": "entra",
        "ALERT_WEBHOOK_OBJECT_ID": "o",
        "ALERT_WEBHOOK_IDENTIFIER_URI": "api://a",
        "API_MANAGEMENT_NAME": "apim-x",
        "GATEWAY_CLIENT_ID": "c",
        "GATEWAY_JWT_AUDIENCE": "api://g",
        "GATEWAY_TENANT_CLAIM": "azp",
        "ALERT_REFUSALS": "5",
        "ALERT_UTILIZATION": "110",
    }
    declared = template("postdeploy.bicep").of("parameter")
    assert parameters(env).keys() == declared.keys(), "each can be set, and no other"
    least = parameters(OUTPUTS_OF_BICEP)
    assert {name for name, one in declared.items() if not one.has_default} <= least.keys()
    assert least["deployments"] == [{"name": "gpt-4.1-ptu", "model": "gpt-4.1", "ptus": 50}]


def test_before_provisioning_it_says_what_is_missing() -> None:
    with pytest.raises(HookError, match="run azd provision first"):
        parameters({"AZURE_ENV_NAME": "dev"})


# --- the scripts, as azd runs them ---------------------------------------------------------------


class Machine:
    """A machine whose `az` and `azd` write down what they are asked and answer what is set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls.jsonl"
        for name in ("az", "azd"):
            program = folder / name
            program.write_text(
                textwrap.dedent(
                    f"""\
                    #!{sys.executable}
                    import json, sys
                    arguments = sys.argv[1:]
                    files = [open(a[1:]).read() for a in arguments if a.startswith("@")]
                    with open({str(self.log)!r}, "a") as log:
                        print(json.dumps([{name!r}, *arguments, *files]), file=log)
                    with open({str(folder / "answers.json")!r}) as file:
                        answers = json.load(file)
                    for begins, answer in answers.items():
                        if " ".join([{name!r}, *arguments]).startswith(begins):
                            print(answer)
                            sys.exit(0 if answer != "fail" else 3)
                    """
                )
            )
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.answers({})

    def answers(self, answers: dict[str, str]) -> None:
        (self.folder / "answers.json").write_text(json.dumps(answers))

    @property
    def calls(self) -> list[list[str]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def hook(self, event: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(
            [str(self.folder), str(Path(sys.executable).parent), "/usr/bin:/bin"]
        )
        return subprocess.run(
            ["sh", str(INFRA / "scripts" / f"{event}.sh")],
            env={"PATH": path, **env},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_after_the_code_the_rest_is_deployed_and_no_key_is_handed_over(machine: Machine) -> None:
    done = machine.hook("postdeploy", {**OUTPUTS_OF_BICEP, "SMOKE_TEST": "false"})
    assert done.returncode == 0, done.stderr
    seen, call = machine.calls
    assert seen[:4] == ["az", "functionapp", "function", "show"]
    *command, file = call
    assert command[:4] == ["az", "deployment", "sub", "create"]
    given = json.loads(file)["parameters"]
    assert given["functionAppName"] == {"value": "func-x"}
    assert given["deployments"]["value"][0]["ptus"] == 50
    assert "key" not in " ".join(command)


def test_a_failed_deployment_stops_the_hook(machine: Machine) -> None:
    machine.answers({"az deployment": "fail"})
    done = machine.hook("postdeploy", OUTPUTS_OF_BICEP)
    assert done.returncode == 1
    assert "az deployment sub create failed (exit code 3)" in done.stderr
    assert len(machine.calls) == 2, "no smoke test of what is not complete"


def test_a_receiver_that_is_not_there_yet_is_waited_for(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(machine.folder))
    assert RECEIVER in app_functions()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            machine.answers({})

    machine.answers({"az functionapp function show": "fail"})
    wait_for_the_receiver(OUTPUTS_OF_BICEP, sleep=sleep)
    assert len(machine.calls) == 4
    machine.answers({"az functionapp function show": "fail"})
    with pytest.raises(HookError, match="az functionapp function show failed"):
        wait_for_the_receiver(OUTPUTS_OF_BICEP, sleep=slept.append)
    assert len(slept) == 3 + PATIENCE - 1


def test_the_keys_of_the_smoke_test_open_one_function_each(machine: Machine) -> None:
    machine.answers({"az functionapp function keys list": "secret"})
    env = {**OUTPUTS_OF_BICEP, "FUNCTION_APP_ADDRESS": "http://127.0.0.1:9", "SMOKE_SECONDS": "0"}
    machine.hook("postdeploy", env)
    asked = [call for call in machine.calls if "keys" in call]
    names = [call[call.index("--function-name") + 1] for call in asked]
    assert names == ["producer", "response"]
    assert set(names) <= app_functions().keys()


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


# --- smoke ---------------------------------------------------------------------------------------


def test_an_app_that_does_not_wake_is_told_with_what_it_said_last() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    app = App("http://127.0.0.1:9", keys={}, clock=lambda: now[0], sleep=sleep)
    with pytest.raises(HookError, match=r"After 600 s GET /health still answers 0: .*refused"):
        smoke(app)
