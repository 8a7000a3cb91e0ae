"""What docs/deployment.md says of azd's environment is what infra/ reads from it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INFRA = ROOT / "infra"
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
AZD_ITSELF = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID"}


def read_by_the_template() -> dict[str, str]:
    """Variables of main.parameters.json, and their defaults."""
    text = (INFRA / "main.parameters.json").read_text(encoding="utf-8")
    return {name: default or "" for name, default in re.findall(r"\$\{(\w+)(?:=([^}]*))?\}", text)}


def read_by_the_hooks() -> set[str]:
    """Variables that a user may set for the hooks, by how they ask for them."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((INFRA / "scripts").rglob("*.py"))
        # names of the app's settings, which are not azd's variables
        if path.name != "app_rules.py"
    )
    asked = set(re.findall(r'(?:env(?:\.get\(|\[)|inputs\.\w+\()"([A-Z][A-Z_]+)"', source))
    asked |= set(re.findall(r'^[A-Z]+ = "([A-Z]+_[A-Z_]+)"$', source, flags=re.MULTILINE))
    return asked | set(re.findall(r'^    "([A-Z][A-Z_]+)": "\w+",$', source, flags=re.MULTILINE))


def described() -> dict[str, str]:
    """Variables of the table of parameters, each with the default that stands in its place."""
    table = PAGE.partition("| Variable | Default |")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    for line in table.splitlines():
        if not line.startswith("| `"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        names = re.findall(r"`([A-Z][A-Z_]+)`", cells[0])
        defaults = [default.strip().strip("`") for default in cells[1].split(",")]
        found.update(zip(names, [*defaults, *[""] * len(names)], strict=False))
    return found


SET_BY_HOOKS_OR_OUTPUTS = {
    "AZURE_OPENAI_RESOURCE_ID",
    "AZURE_RESOURCE_GROUP",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "API_MANAGEMENT_NAME",
    "ALERT_WEBHOOK_OBJECT_ID",
    "ALERT_WEBHOOK_IDENTIFIER_URI",
    "DEPLOYMENTS",
    "FUNCTION_APP_ADDRESS",
    "FUNCTION_APP_NAME",
    "GATEWAY_CLIENT_ID",
    "KEY_VAULT_NAME",
    "PROVISIONED_RESOURCE_GROUP",
    "PROVISIONED_SUBSCRIPTION_ID",
}


@pytest.mark.parametrize("name", sorted(read_by_the_template()))
def test_a_parameter_is_described(name: str) -> None:
    assert name in described()


@pytest.mark.parametrize("name", sorted(set(read_by_the_template()) - AZD_ITSELF))
def test_a_default_is_the_one_that_is_described(name: str) -> None:
    said = described()[name]
    assert said == read_by_the_template()[name] or name == "AZURE_RESOURCE_GROUP_NAME"


@pytest.mark.parametrize("name", sorted(read_by_the_hooks() - SET_BY_HOOKS_OR_OUTPUTS))
def test_what_the_hooks_ask_for_is_described(name: str) -> None:
    assert f"`{name}`" in PAGE or f" {name} " in PAGE


@pytest.mark.parametrize("name", sorted(described()))
def test_what_is_described_is_read(name: str) -> None:
    assert name in read_by_the_template().keys() | read_by_the_hooks()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"azd env set (\w+)", PAGE)) - {"NAME"}))
def test_a_command_sets_a_variable_that_is_read(name: str) -> None:
    assert name in read_by_the_template().keys() | read_by_the_hooks()


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"azd env get-value (\w+)", PAGE)) - AZD_ITSELF)
)
def test_a_command_asks_for_an_output_that_there_is(name: str) -> None:
    assert f"output {name} " in (INFRA / "main.bicep").read_text(encoding="utf-8")


RULE = re.compile(
    r"resource \w+ 'Microsoft\.Insights/(?:metricAlerts|scheduledQueryRules)@[^']+' = [^{]*"
    r"\{\s*name: '([^']+)'"
)


def alerts() -> list[str]:
    """The names of the alert rules, with a word in capitals for what differs."""
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted((INFRA / "app").glob("*alerts.bicep"))
    )
    return [
        name.replace("${prefix}", "ptu-ENVIRONMENT").replace("${deployment.name}", "DEPLOYMENT")
        for name in RULE.findall(source)
    ]


def test_there_are_alerts() -> None:
    assert "dead-letters" in alerts()


@pytest.mark.parametrize("name", alerts())
def test_an_alert_has_a_runbook(name: str) -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{re.escape(name)}` \|.*\]\(#([\w-]+)\)", page, flags=re.MULTILINE)
    assert row is not None


def test_the_objects_of_the_parameters_are_named() -> None:
    parameters = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))
    objects = [
        name
        for name, parameter in parameters["parameters"].items()
        if not isinstance(parameter["value"], str)
    ]
    assert objects
    for name in objects:
        assert f"`{name}`" in PAGE
