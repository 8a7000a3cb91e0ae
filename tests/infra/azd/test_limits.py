"""Limits stand where azd and Azure name them: at the parameters of what is deployed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.azd.places import INFRA, template
from tests.support.bicep.syntax import BicepFile, Declaration, Expression, parse, read

LIMITS = ("minValue", "maxValue", "minLength", "maxLength", "allowed")
ROOTS = ("main.bicep", "postdeploy.bicep")


def limits(parameter: Declaration) -> dict[str, Any]:
    found = {name: parameter.decorators[name] for name in LIMITS if name in parameter.decorators}
    if "allowed" in found:
        found["allowed"] = sorted(found["allowed"])
    return found


def handed_on(file: BicepFile) -> Iterator[tuple[Declaration, str, Declaration]]:
    """(parameter, module, the module's parameter) of every parameter that is handed on as it is."""
    parameters = file.of("parameter")
    for module in file.of("module").values():
        if module.type.startswith("br/"):
            continue
        inner = read(file.path.parent / module.type).of("parameter")
        for name, given in module.value["params"].items():
            if isinstance(given, Expression) and given.text in parameters:
                yield parameters[given.text], module.name, inner[name]


def unsaid(file: BicepFile) -> list[str]:
    """Limits of modules that the template itself does not have."""
    return [
        f"{parameter.name}: {module} has {name} {limit}"
        for parameter, module, inner in handed_on(file)
        for name, limit in limits(inner).items()
        if limits(parameter).get(name) != limit
    ]


@pytest.mark.parametrize("root", ROOTS)
def test_a_limit_of_a_module_stands_at_the_parameter_that_is_handed_to_it(root: str) -> None:
    assert unsaid(template(root)) == []


def test_a_limit_that_was_forgotten_is_found() -> None:
    path = INFRA / "main.bicep"
    text = path.read_text(encoding="utf-8").replace("@minValue(1)\n@maxValue(32)\n", "")
    assert unsaid(parse(text, path=path)) == [
        "hubPartitions: eventHubs has minValue 1",
        "hubPartitions: eventHubs has maxValue 32",
    ]


@pytest.mark.parametrize(
    ("root", "parameter", "expected"),
    [
        ("main.bicep", "environmentName", {"minLength": 1, "maxLength": 32}),
        ("main.bicep", "resourceGroupName", {"maxLength": 90}),
        ("main.bicep", "ptuCount", {"minValue": 0}),
        ("main.bicep", "ptuDeploymentName", {"minLength": 1, "maxLength": 64}),
        ("main.bicep", "spilloverDeploymentName", {"minLength": 1, "maxLength": 64}),
        ("main.bicep", "hubPartitions", {"minValue": 1, "maxValue": 32}),
        ("main.bicep", "hubRetentionDays", {"minValue": 1, "maxValue": 90}),
        ("main.bicep", "eventHubsCapacity", {"minValue": 1, "maxValue": 40}),
        ("main.bicep", "eventHubsMaximumCapacity", {"minValue": 0, "maxValue": 40}),
        ("main.bicep", "cosmosMode", {"allowed": ["autoscale", "serverless"]}),
        ("main.bicep", "cosmosMaximumThroughput", {"minValue": 1_000, "maxValue": 1_000_000}),
        # Flex Consumption takes a ceiling below 40, too
        ("main.bicep", "maximumInstanceCount", {"minValue": 1, "maxValue": 1_000}),
        ("main.bicep", "httpConcurrency", {"minValue": 1, "maxValue": 1_000}),
        ("main.bicep", "logRetentionDays", {"minValue": 30, "maxValue": 730}),
        ("postdeploy.bicep", "environmentName", {"minLength": 1, "maxLength": 32}),
        ("postdeploy.bicep", "refusalThreshold", {"minValue": 0}),
        ("postdeploy.bicep", "utilizationThreshold", {"minValue": 50}),
    ],
)
def test_a_value_that_azure_would_refuse_later_is_refused_at_once(
    root: str, parameter: str, expected: dict[str, Any]
) -> None:
    assert limits(template(root).of("parameter")[parameter]) == expected


@pytest.mark.parametrize("root", ROOTS)
def test_every_default_keeps_its_own_limits(root: str) -> None:
    for name, one in template(root).of("parameter").items():
        if one.has_default and not isinstance(one.value, Expression):
            assert keeps(one.value, limits(one)), name


def keeps(value: Any, limit: dict[str, Any]) -> bool:
    size = value if isinstance(value, int) else len(value)
    return (
        limit.get("minValue", size) <= size <= limit.get("maxValue", size)
        and limit.get("minLength", size) <= size <= limit.get("maxLength", size)
        and value in limit.get("allowed", [value])
    )


def test_a_group_is_asked_for_as_a_new_one() -> None:
    """`azd down` deletes all that is in it."""
    said = str(
        template("main.bicep").of("parameter")["resourceGroupName"].decorators["description"]
    )
    assert "a new resource group" in said
    table = (Path(INFRA).parent / "docs" / "deployment.md").read_text(encoding="utf-8")
    (row,) = [
        line for line in table.splitlines() if line.startswith("| `AZURE_RESOURCE_GROUP_NAME`")
    ]
    assert "a new group" in row
