"""What docs/deployment.md says of azd's environment is what infra/ reads from it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INFRA = ROOT / "infra"
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
AZD_ITSELF = {
    "AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID", "AZURE_SUBSCRIPTION_ID"
}  # fmt: skip


def read_by_the_template() -> dict[str, str]:
    """Variables of main.parameters.json, and their defaults."""
    text = (INFRA / "main.parameters.json").read_text(encoding="utf-8")
    return {name: default or "" for name, default in re.findall(r"\$\{(\w+)(?:=([^}]*))?\}", text)}


def read_by_the_hooks() -> set[str]:
    """Variables that a user may set for the hooks, by how they ask for them."""
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted((INFRA / "scripts").rglob("*.py"))
    )
    asked = set(re.findall(r'env(?:\.get\(|\[)"([A-Z][A-Z_]+)"', source))
    asked |= set(re.findall(r'inputs\.text\(\s*"([A-Z][A-Z_]+)"', source))
    asked |= set(re.findall(r'^[A-Z_]+ = "([A-Z]+_[A-Z_]+)"$', source, flags=re.MULTILINE))
    wrappers = "".join(
        path.read_text(encoding="utf-8") for path in (INFRA / "scripts").glob("*.sh")
    )
    asked |= set(re.findall(r"\$\{([A-Z_]+):-", wrappers))
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
    "APP_PRINCIPAL_ID",
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

IN_THE_OBJECT_SETTINGS = {
    "CALL_LIMIT_SECONDS",
    "DEFAULT_DEADLINE_SECONDS",
    "HUB_RETENTION_SECONDS",
    "INVOCATION_BUDGET_SECONDS",
    "WRITE_BUDGET_SECONDS",
}
"""Settings of the app whose rules a hook knows: docs/settings.md describes them."""


@pytest.mark.parametrize("name", sorted(read_by_the_template()))
def test_a_parameter_is_described(name: str) -> None:
    assert name in described()


@pytest.mark.parametrize("name", sorted(set(read_by_the_template()) - AZD_ITSELF))
def test_a_default_is_the_one_that_is_described(name: str) -> None:
    said = described()[name]
    assert said == read_by_the_template()[name] or name == "AZURE_RESOURCE_GROUP_NAME"


@pytest.mark.parametrize(
    "name", sorted(read_by_the_hooks() - SET_BY_HOOKS_OR_OUTPUTS - IN_THE_OBJECT_SETTINGS)
)
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


# --- commands of `az`, errors, taking down -------------------------------------------------------


def commands() -> list[tuple[str, str]]:
    """(page, command) of all commands of `az` that name a resource group."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found = []
    for page in pages:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for command in re.findall(r"(?<![\w-])az [a-z][^`\n]*", text):
            if re.search(r" (--resource-group|-g) ", command):
                found.append((page.name, " ".join(command.split())))
    return found


def test_there_are_commands() -> None:
    assert len(commands()) > 5


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_names_its_subscription(page: str, command: str) -> None:
    """The default of az may be another subscription than azd's."""
    assert " --subscription " in command, page


def errors() -> dict[str, str]:
    """What one does, by what one sees."""
    table = PAGE.partition("| You see | It is |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ", 1) for line in table.splitlines() if "`" in line]
    return {row[0]: row[-1] for row in rows}


@pytest.mark.parametrize(
    ("seen", "does"),
    [
        ("BlobUploadFailedException", "`azd deploy` again"),
        ("0 functions found", "`azd deploy` again"),
        ("FlagMustBeSetForRestore", "az cognitiveservices account purge --subscription"),
        ("ServiceAlreadyExistsInSoftDeletedState", "az apim deletedservice purge --subscription"),
        ("InvalidDeploymentLocation", "az deployment sub delete"),
        ("SKIP_DOWN_HOOKS", "a login or a right is missing"),
    ],
)
def test_an_error_has_a_row_with_what_to_do(seen: str, does: str) -> None:
    (row,) = [do for see, do in errors().items() if seen in see]
    assert does in row


def test_a_deleted_account_that_still_costs_is_told_as_such() -> None:
    (row,) = [do for see, do in errors().items() if "FlagMustBeSetForRestore" in see]
    assert "billed until it is purged" in row


TAKING_DOWN = PAGE.partition("\n## Taking it down\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    "said",
    [
        "1.22.4 to 1.24.0",
        "1.31.2",
        "SKIP_DOWN_HOOKS",
        "DOWN_CONFIRMED",
        "billed until it is purged",
        "azd provision --no-state",
        "down.json",
        "az ad app delete",
    ],
)
def test_taking_down_says_what_costs_and_how_to_get_out(said: str) -> None:
    assert said in TAKING_DOWN


def test_nobody_is_told_not_to_purge() -> None:
    """azd skips a vault that purge protection keeps; the rest should be purged."""
    assert "do not pass" not in TAKING_DOWN


def test_no_page_prints_a_command_that_prints_nothing() -> None:
    """`az functionapp keys list` and its like: an empty answer with exit code 0."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"az functionapp (function )?keys list --", text), page.name
