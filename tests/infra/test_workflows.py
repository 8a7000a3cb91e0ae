""".github/workflows: valid, logged in twice, and handed every input that there is.

A variable that is not named in `pipeline.variables` of azure.yaml, and in the workflow's `env`, is
lost in a pipeline without a word. So both lists are compared with what the template and the hooks
read.
"""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.azd.places import INFRA
from tests.support.deployed_settings import ALIASES, SECRETS
from tests.support.schemas import ROOT, documents, problems, schema

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FILE = ROOT / ".github" / "workflows" / "azure-dev.yml"
SCRIPTS = INFRA / "scripts"


def workflow(path: Path) -> dict[str, Any]:
    """A workflow; YAML 1.1 reads its key `on` as a boolean."""
    (content,) = documents(path)
    return {"on" if key is True else key: value for key, value in content.items()}  # type: ignore[comparison-overlap]


DEPLOYING = workflow(FILE)
JOB: dict[str, Any] = DEPLOYING["jobs"]["deploy"]
STEPS: list[dict[str, Any]] = JOB["steps"]
(AZURE_YAML,) = documents(ROOT / "azure.yaml")
VARIABLES: list[str] = AZURE_YAML["pipeline"]["variables"]

# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_valid_and_names_actions_by_major_version(path: Path) -> None:
    assert problems(workflow(path), schema("github-workflow")) == []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda w: w["jobs"]["deploy"].update(runs=1), id="a misspelt key"),
        pytest.param(lambda w: w["jobs"]["deploy"]["steps"][0].update(run="ls"), id="two in one"),
        pytest.param(
            lambda w: w["jobs"]["deploy"]["steps"][0].update(uses="actions/checkout@main"),
            id="an action by branch",
        ),
        pytest.param(lambda w: w["permissions"].update({"id-token": "read"}), id="a permission"),
    ],
)
def test_a_planted_fault_is_found(spoil: Callable[[dict[str, Any]], None]) -> None:
    spoiled = copy.deepcopy(DEPLOYING)
    spoil(spoiled)
    assert problems(spoiled, schema("github-workflow"))


# --- logins ---------------------------------------------------------------------------------------


def position(part: str) -> int:
    """Of the first step that runs or uses it."""
    found = [n for n, step in enumerate(STEPS) if part in step.get("run", step.get("uses", ""))]
    assert found, part
    return found[0]


def test_azd_and_az_are_logged_in_before_anything_is_provisioned() -> None:
    provision = position("azd provision")
    assert position("azd auth login") < provision
    assert position("azure/login@") < provision


def test_az_is_logged_in_again_before_the_hooks_after_the_code() -> None:
    """Its login lasts minutes, and provisioning may take an hour."""
    between = STEPS[position("azd provision") + 1 : position("azd deploy")]
    assert [step["uses"].partition("@")[0] for step in between] == ["azure/login"]


def test_both_logins_are_by_federated_credentials() -> None:
    assert DEPLOYING["permissions"]["id-token"] == "write"
    assert "--federated-credential-provider github" in STEPS[position("azd auth login")]["run"]
    for step in STEPS:
        if step.get("uses", "").startswith("azure/login@"):
            assert step["with"].keys() == {"client-id", "tenant-id", "subscription-id"}
    text = FILE.read_text(encoding="utf-8")
    assert set(re.findall(r"secrets\.(\w+)", text)) == {"AZD_INITIAL_ENVIRONMENT_CONFIG"}


def test_a_copy_of_the_repository_without_a_pipeline_runs_nothing() -> None:
    assert JOB["if"] == "${{ vars.AZURE_CLIENT_ID != '' }}"


# --- the environment ------------------------------------------------------------------------------


def test_the_environment_is_filled_from_its_last_deployment_which_may_be_missing() -> None:
    filled = STEPS[position("azd env refresh")]["run"]
    assert position("azd env refresh") < position("azd provision")
    assert filled.index("azd env new") < filled.index("azd env refresh")
    assert re.search(r"azd env refresh --no-prompt \|\| echo ", filled)


def test_the_group_of_an_earlier_run_is_known_as_this_environments() -> None:
    prefix = json.loads((INFRA / "abbreviations.json").read_text(encoding="utf-8"))[
        "resourcesResourceGroups"
    ]
    assert JOB["env"]["AZURE_RESOURCE_GROUP_CONFIRMED"] == (
        "${{ vars.AZURE_RESOURCE_GROUP_CONFIRMED || vars.AZURE_RESOURCE_GROUP_NAME "
        f"|| format('{prefix}{{0}}', vars.AZURE_ENV_NAME) }}}}"
    )


def test_nothing_asks_where_nobody_can_answer() -> None:
    for step in STEPS:
        for line in step.get("run", "").splitlines():
            assert "--no-prompt" in line or line.startswith("azd auth login"), line


# --- the inputs -----------------------------------------------------------------------------------

SET_BY_AZD = {
    "AZURE_CLIENT_ID",
    "AZURE_ENV_NAME",
    "AZURE_LOCATION",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
}
"""What `azd pipeline config` sets without being told."""

FOUND_BY_AZD = {"AZURE_PRINCIPAL_ID", "AZURE_PRINCIPAL_TYPE"}
"""What azd finds out of whoever is logged in."""

KEPT_BY_HOOKS = {
    "AZURE_RESOURCE_GROUP",
    "GATEWAY_CLIENT_ID",
    "PROVISIONED_LOCATION",
    "PROVISIONED_RESOURCE_GROUP",
    "PROVISIONED_SUBSCRIPTION_ID",
    "PTU_COUNT_CONFIRMED",
}
"""Outputs, notes, and an answer of older versions, which is only cleared."""

OF_AZD_DOWN = {"DOWN_CONFIRMED", "SKIP_DOWN_HOOKS"}
"""The workflow takes nothing down."""

OF_THE_SYSTEM = {"GITHUB_ACTIONS", "TF_BUILD"}
"""What tells a pipeline from a person."""

NOT_HANDED_OVER = SET_BY_AZD | FOUND_BY_AZD | KEPT_BY_HOOKS | OF_AZD_DOWN | OF_THE_SYSTEM
NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
APP_RULES = {"app_rules.py", "app_settings.py", "app_values.py"}
"""Rules for the app's settings, which are no variables of azd's environment."""


def read_by_the_template() -> set[str]:
    text = (INFRA / "main.parameters.json").read_text(encoding="utf-8")
    return set(re.findall(r"\$\{(\w+)", text))


def outputs() -> set[str]:
    text = (INFRA / "main.bicep").read_text(encoding="utf-8")
    return set(re.findall(r"^output (\w+) ", text, flags=re.MULTILINE))


def named_by(path: Path) -> Iterator[str]:
    """Every text of a module that could name a variable."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and NAME.fullmatch(text):
            yield text


def read_by_the_hooks() -> set[str]:
    """What the hooks name and a user may set: no output, no setting of the app, none of azd's."""
    modules = [one for one in SCRIPTS.rglob("*.py") if one.name not in APP_RULES]
    named = {name for path in modules for name in named_by(path)}
    for path in [*SCRIPTS.glob("*.sh"), *SCRIPTS.glob("*.ps1")]:
        text = path.read_text(encoding="utf-8")
        named |= {one for one in re.findall(r"\$(?:\{|env:)(\w+)", text) if NAME.fullmatch(one)}
    settings = ALIASES.keys() - read_by_the_template()
    return named - outputs() - settings - NOT_HANDED_OVER


@pytest.mark.parametrize(
    "name", sorted(read_by_the_template() - NOT_HANDED_OVER | read_by_the_hooks())
)
def test_an_input_reaches_the_pipeline(name: str) -> None:
    assert name in VARIABLES, "else it is lost there: add it to azure.yaml and to the workflow"


@pytest.mark.parametrize("name", VARIABLES)
def test_what_is_handed_over_is_read(name: str) -> None:
    assert name in read_by_the_template() | read_by_the_hooks()


def test_the_workflow_hands_over_what_azure_yaml_names_and_no_more() -> None:
    handed = JOB["env"].keys() - SET_BY_AZD
    assert handed == set(VARIABLES)
    for name in JOB["env"].keys() - {"AZURE_RESOURCE_GROUP_CONFIRMED"}:
        assert JOB["env"][name] == f"${{{{ vars.{name} }}}}"


def test_no_secret_is_among_the_variables() -> None:
    assert not set(VARIABLES) & SECRETS
    assert not [name for name in VARIABLES if re.search("KEY|SECRET|PASSWORD|TOKEN", name)]


def test_hooks_are_searched_where_they_are() -> None:
    """The lists above would be empty, and nothing would be compared, if this found nothing."""
    assert {"SMOKE_TEST", "ALERT_REFUSALS", "GATEWAY_JWT_AUDIENCE"} <= read_by_the_hooks()
