"""databricks/: a valid bundle, which gives the consumer its settings and what it imports."""

from __future__ import annotations

import ast
import copy
import json
import re
import sys
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from ptu_consumer.__main__ import _options
from tests.support.deployed_settings import SECRETS, loaded, read_by_nobody
from tests.support.schemas import ROOT, documents, problems, schema

FOLDER = ROOT / "databricks"
(BUNDLE,) = documents(FOLDER / "databricks.yml")
JOB: dict[str, Any] = BUNDLE["resources"]["jobs"]["ptu_consumer"]
(TASK,) = JOB["tasks"]
CLUSTER: dict[str, Any] = JOB["job_clusters"][0]["new_cluster"]
ENVIRONMENT: dict[str, str] = CLUSTER["spark_env_vars"]
PROJECT: dict[str, Any] = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]

PROD: dict[str, Any] = BUNDLE["targets"]["prod"]
README = (FOLDER / "README.md").read_text(encoding="utf-8")

VALUES = {
    "job_principal": "44444444-4444-4444-4444-444444444444",
    "operators_group": "ptu-operators",
    "secret_scope": "ptu-optimizer",
    "event_hubs_namespace": "n.servicebus.windows.net",
    "cosmos_endpoint": "https://n.documents.azure.com:443/",
    "cosmos_database": "ptu",
    "blob_endpoint": "https://n.blob.core.windows.net",
    "openai_endpoint": "https://n.openai.azure.com",
    "openai_resource_id": "/subscriptions/S/resourceGroups/R/providers/P/accounts/A",
    "monitor_endpoint": "https://swedencentral.metrics.monitor.azure.com",
    "deployments": '[{"name": "gpt-4.1-ptu", "model": "gpt-4.1", "ptus": 50}]',
    "client_id": "the service principal",
    "tenant_id": "its tenant",
}
SECRET = re.compile(r"\{\{secrets/([^/}]+)/([^/}]+)\}\}")


def resolved(text: str) -> str:
    """As the bundle does, and the cluster with secrets."""
    text = re.sub(r"\$\{var\.(\w+)\}", lambda match: VALUES[match[1]], text)
    return SECRET.sub("from Key Vault, long enough", text)


# --- the bundle -----------------------------------------------------------------------------------


def test_the_bundle_is_valid() -> None:
    assert problems(BUNDLE, schema("databricks-bundle")) == []


def _job(*path: str | int, value: object) -> Callable[[], dict[str, Any]]:
    def planted() -> dict[str, Any]:
        spoiled = copy.deepcopy(BUNDLE)
        place: Any = spoiled["resources"]["jobs"]["ptu_consumer"]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return spoiled

    return planted


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(_job("continous", value={}), id="a misspelt field"),
        pytest.param(_job("continuous", "pause_status", value="RUNNING"), id="no such status"),
        pytest.param(_job("tasks", 0, "python_wheel_task", "package", value="x"), id="of a task"),
        pytest.param(
            _job("job_clusters", 0, "new_cluster", "spark_env_vars", "N", value=5), id="a number"
        ),
    ],
)
def test_a_planted_fault_is_found(planted: Callable[[], dict[str, Any]]) -> None:
    assert problems(planted(), schema("databricks-bundle"))


def test_every_variable_is_used_and_every_one_that_is_used_is_there() -> None:
    text = (FOLDER / "databricks.yml").read_text()
    assert set(re.findall(r"\$\{var\.(\w+)\}", text)) == BUNDLE["variables"].keys()


def test_the_readme_names_every_variable_that_has_no_default() -> None:
    needed = {name for name, one in BUNDLE["variables"].items() if "default" not in one}
    text = (FOLDER / "README.md").read_text()
    assert {name for name in needed if f'"{name}":' not in text} == set()


def test_one_run_at_a_time_on_one_node() -> None:
    assert JOB["max_concurrent_runs"] == 1
    assert CLUSTER["num_workers"] == 0
    assert CLUSTER["spark_conf"]["spark.databricks.cluster.profile"] == "singleNode"
    assert TASK["job_cluster_key"] == JOB["job_clusters"][0]["job_cluster_key"]


# --- who can change the code that runs with the secrets -------------------------------------------


def test_the_bundle_lies_in_the_folder_of_the_principal_that_runs_it() -> None:
    owner = PROD["run_as"]["service_principal_name"]
    assert PROD["workspace"]["root_path"].startswith(f"/Workspace/Users/{owner}/")
    assert "root_path" not in BUNDLE.get("workspace", {})
    assert "/Shared" not in (FOLDER / "databricks.yml").read_text()


def test_only_that_principal_can_change_the_job_and_its_files() -> None:
    may_change = [one for one in PROD["permissions"] if one["level"] == "CAN_MANAGE"]
    assert may_change == [{**PROD["run_as"], "level": "CAN_MANAGE"}]


def test_operators_can_start_and_cancel_runs_and_no_more() -> None:
    (operators,) = (one for one in PROD["permissions"] if "group_name" in one)
    assert operators == {"group_name": "${var.operators_group}", "level": "CAN_RUN"}
    assert "permissions" not in JOB, "both places together are refused"


def _prod(*path: str | int, value: object) -> Callable[[], dict[str, Any]]:
    def planted() -> dict[str, Any]:
        spoiled = copy.deepcopy(BUNDLE)
        place: Any = spoiled["targets"]["prod"]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return spoiled

    return planted


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(_prod("permissions", 1, "level", value="CAN_MANAGE_RUN"), id="of a job"),
        pytest.param(_prod("permissions", 1, "group", value="x"), id="a misspelt field"),
        pytest.param(_prod("run_as", "service_principal", value="x"), id="a misspelt principal"),
    ],
)
def test_a_fault_in_the_rights_is_found(planted: Callable[[], dict[str, Any]]) -> None:
    assert problems(planted(), schema("databricks-bundle"))


COMMAND = re.compile(r"databricks secrets create-scope --json '(.+?)'\n", flags=re.DOTALL)


def test_the_readmes_command_makes_a_scope_on_the_key_vault() -> None:
    """The command has no flag for the vault's resource id; the API's body has."""
    found = COMMAND.search(README)
    assert found is not None
    assert json.loads(found[1]) == {
        "scope": BUNDLE["variables"]["secret_scope"]["default"],
        "scope_backend_type": "AZURE_KEYVAULT",
        "backend_azure_keyvault": {
            "resource_id": "KEY_VAULT_RESOURCE_ID",
            "dns_name": "https://NAME.vault.azure.net/",
        },
    }
    assert "--resource-id" not in README


def test_who_has_the_bundle_in_the_shared_folder_is_told_how_to_leave_it() -> None:
    section = README.partition("## From the shared folder")[2].partition("\n## ")[0]
    steps = [
        "databricks bundle destroy -t prod",
        "databricks workspace delete /Workspace/Shared/.bundle/ptu-consumer",
        "databricks bundle deploy -t prod",
        "Rotate `AZURE_CLIENT_SECRET`",
    ]
    places = [section.index(step) for step in steps]
    assert places == sorted(places)


def test_a_second_deployment_ends_the_run_of_the_old_wheel() -> None:
    deploying = README.partition("## Deploy")[2].partition("\n## ")[0]
    assert deploying.index("bundle deploy -t prod") < deploying.index("jobs cancel-all-runs")


# --- settings and secrets -------------------------------------------------------------------------


def test_the_settings_load_and_each_of_them_is_read() -> None:
    settings = loaded({name: resolved(value) for name, value in ENVIRONMENT.items()})
    assert settings.event_hubs is None, "by identity"
    assert read_by_nobody(ENVIRONMENT, host=False) == set()


def test_every_secret_comes_from_the_scope_and_nothing_else_does() -> None:
    secret = (SECRETS | {"AZURE_CLIENT_SECRET"}) & ENVIRONMENT.keys()
    assert secret == {"REQUEST_ID_KEY", "AZURE_CLIENT_SECRET"}
    for name, value in ENVIRONMENT.items():
        assert bool(SECRET.fullmatch(resolved_scope(value))) == (name in secret), name


def resolved_scope(text: str) -> str:
    return text.replace("${var.secret_scope}", VALUES["secret_scope"])


def test_the_secrets_are_those_that_the_readme_has_put_into_the_vault() -> None:
    text = (FOLDER / "README.md").read_text()
    for value in ENVIRONMENT.values():
        for _scope, key in SECRET.findall(resolved_scope(value)):
            assert f"`{key}`" in text


def test_no_value_has_a_quote_that_would_end_its_export() -> None:
    assert not [name for name, value in ENVIRONMENT.items() if "'" in value]


# --- the wheel ------------------------------------------------------------------------------------


def test_the_task_calls_what_the_wheel_offers() -> None:
    task = TASK["python_wheel_task"]
    assert task["package_name"] == PROJECT["name"]
    assert PROJECT["scripts"] == {task["entry_point"]: "ptu_consumer.__main__:main"}
    assert _options(task["parameters"]).grace_seconds == 60
    assert BUNDLE["artifacts"]["consumer"]["build"].endswith("--wheel-dir dist .")
    assert TASK["libraries"] == [{"whl": "./dist/*.whl"}]


def requirement(text: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z0-9_-]+)(?:\[\w+\])?(.*)$", text)
    assert match is not None
    return match[1].lower(), match[2]


def test_the_wheel_asks_for_the_versions_that_the_app_is_tested_with() -> None:
    lines = [
        line.split(";")[0].strip()
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text().splitlines()
        if line and not line.startswith("#")
    ]
    tested = dict(map(requirement, lines))
    asked = dict(map(requirement, PROJECT["dependencies"]))
    assert {name: tested.get(name) for name in asked} == asked


PACKAGE_OF = {
    "aiohttp": "aiohttp",
    "azure.core": "azure-storage-blob",  # which needs it
    "azure.cosmos": "azure-cosmos",
    "azure.eventhub": "azure-eventhub",
    "azure.identity": "azure-identity",
    "azure.keyvault": "azure-keyvault-secrets",
    "azure.monitor": "azure-monitor-querymetrics",
    "azure.storage": "azure-storage-blob",
    "bpe_openai": "bpe-openai",
    "jwt": "pyjwt",
    "multidict": "aiohttp",
    "orjson": "orjson",
    "pydantic": "pydantic",
    "pydantic_settings": "pydantic-settings",
    "yarl": "aiohttp",
}


def test_the_wheel_installs_what_it_imports() -> None:
    asked = {name for name, _ in map(requirement, PROJECT["dependencies"])}
    files = [*(FOLDER / "ptu_consumer").glob("*.py"), *(ROOT / "ptu_optimizer").rglob("*.py")]
    imported: set[str] = set()
    for path in files:
        if "triggers" in path.parts:  # for the Functions host only
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module))
    tops = {module.split(".")[0] for module in imported}
    foreign = tops - sys.stdlib_module_names - {"ptu_consumer", "ptu_optimizer"}
    needed = {
        package
        for prefix, package in PACKAGE_OF.items()
        if any(module == prefix or module.startswith(f"{prefix}.") for module in imported)
    }
    assert foreign <= {prefix.split(".")[0] for prefix in PACKAGE_OF}
    assert needed <= asked
    assert asked - needed <= {"azure-eventhub-checkpointstoreblob-aio"}


def test_the_consumer_keeps_out_of_what_is_for_the_functions_host() -> None:
    for path in (FOLDER / "ptu_consumer").glob("*.py"):
        text = path.read_text()
        assert "ptu_optimizer.triggers" not in text.replace("`triggers/", "")
        assert "environ" not in text.replace("environment", "")
        assert "getenv" not in text
