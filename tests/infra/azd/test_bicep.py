"""Every Bicep file can be read, every name in it leads somewhere, every property exists."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from pycep import BicepParser

from tests.infra.azd.places import INFRA, MODULES, TEMPLATES, TYPES, named
from tests.support.bicep.properties import misfits
from tests.support.bicep.references import files_missing, modules_misfit, unresolved, unused
from tests.support.bicep.syntax import parse, read


@cache
def pycep() -> BicepParser:
    return BicepParser()


def test_the_templates_were_found() -> None:
    assert {"main.bicep", "postdeploy.bicep"} <= {path.name for path in TEMPLATES}
    assert len(TEMPLATES) > 15


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_tree_sitter_reads_it(path: Path) -> None:
    assert read(path).errors() == []


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_pycep_reads_it(path: Path) -> None:
    assert pycep().parse(file_path=path)


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_every_name_is_declared_and_every_parameter_used(path: Path) -> None:
    assert unresolved(read(path)) + unused(read(path)) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_modules_get_what_they_ask_for(path: Path) -> None:
    assert modules_misfit(read(path), verified=MODULES) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_what_is_loaded_exists(path: Path) -> None:
    assert files_missing(read(path)) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_every_property_is_one_of_its_type(path: Path) -> None:
    created = [resource for resource in read(path).resources if not resource.existing]
    found = {resource.name: misfits(resource, TYPES) for resource in created}
    assert {name: said for name, said in found.items() if said} == {}


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_api_versions_are_generally_available_and_the_same_everywhere(path: Path) -> None:
    pinned = {one.partition("@")[0]: one.partition("@")[2] for one in TYPES}
    for resource in read(path).resources:
        kind, _, version = resource.type.partition("@")
        if version:  # a nested resource has that of the one around it
            assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", version), f"{resource.type} is a preview"
            assert pinned.get(kind, version) == version


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_every_template_says_what_it_is_for(path: Path) -> None:
    assert re.search(r"^metadata description = '.{20,}'$", path.read_text("utf-8"), re.MULTILINE)


def test_verified_modules_are_pinned_to_versions_that_are_used() -> None:
    used = {
        module.type.removeprefix("br/public:")
        for path in TEMPLATES
        for module in read(path).of("module").values()
        if module.type.startswith("br/")
    }
    assert used == MODULES.keys()
    assert all(re.search(r":\d+\.\d+\.\d+$", one) for one in used)


def test_abbreviations_are_all_used() -> None:
    text = "".join(path.read_text("utf-8") for path in TEMPLATES)
    content = json.loads((INFRA / "abbreviations.json").read_text("utf-8"))
    assert [name for name in content if f"abbreviations.{name}" not in text] == []


# --- the checks find what is planted -------------------------------------------------------------


def planted(name: str, old: str, new: str) -> list[str]:
    """What the checks say of a template in which `old` was replaced by `new`."""
    path = INFRA / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    file = parse(text.replace(old, new, 1), path=path)
    return [
        *file.errors(),
        *unresolved(file),
        *unused(file),
        *modules_misfit(file, verified=MODULES),
        *files_missing(file),
        *(said for one in file.resources if not one.existing for said in misfits(one, TYPES)),
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        pytest.param(
            "core/storage.bicep", "name: sku }", "name: sku", "cannot be read", id="a lost brace"
        ),
        pytest.param(
            "main.bicep",
            "network!.outputs.appSubnetId",
            "network!.outputs.subnetId",
            "network has no output subnetId",
            id="an output that the module lacks",
        ),
        pytest.param(
            "main.bicep",
            "    hubRetentionSeconds: hubRetentionSeconds\n    alert",
            "    alert",
            "hubRetentionSeconds of app/function-app.bicep is not given",
            id="a parameter that the module needs",
        ),
        pytest.param(
            "main.bicep",
            "    mode: cosmosMode",
            "    mode: cosmosMode\n    tier: 'x'",
            "tier is no parameter of core/cosmos.bicep",
            id="a parameter that it does not have",
        ),
        pytest.param(
            "app/function-app.bicep",
            "serverfarm:0.5.0",
            "serverfarm:0.5.1",
            "serverfarm:0.5.1 is not there",
            id="a module of a version that nobody has verified",
        ),
        pytest.param(
            "app/function-app.bicep",
            "httpsOnly: true",
            "httpOnly: true",
            "httpOnly is no parameter",
            id="a verified module's parameter",
        ),
        pytest.param(
            "main.bicep",
            "var tags",
            "var tag",
            "tags is not declared",
            id="a variable",
        ),
        pytest.param(
            "core/cosmos.bicep",
            "var containers",
            "var unneeded = name\nvar containers",
            "variable unneeded is not used",
            id="a variable that nothing reads",
        ),
        pytest.param(
            "app/roles.bicep",
            "roles['Azure Event Hubs Data Sender']",
            "roles['Azure Event Hub Data Sender']",
            "roles has no Azure Event Hub Data Sender",
            id="a role's name",
        ),
        pytest.param(
            "core/cosmos.bicep",
            "local/cosmos/containers.json",
            "local/cosmos/container.json",
            "container.json is not there",
            id="a file",
        ),
        pytest.param(
            "core/event-hubs.bicep",
            "disableLocalAuth: true",
            "disableLocalAuthentication: true",
            "properties.disableLocalAuthentication does not exist",
            id="a property",
        ),
        pytest.param(
            "core/event-hubs.bicep",
            "disableLocalAuth: true",
            "disableLocalAuth: 'true'",
            "properties.disableLocalAuth is no bool",
            id="a property's type",
        ),
        pytest.param(
            "core/cosmos.bicep",
            "databaseAccountOfferType: 'Standard'\n",
            "",
            "properties.databaseAccountOfferType is missing",
            id="a property that is required",
        ),
        pytest.param(
            "core/storage.bicep",
            "'TLS1_2'",
            "'TLS12'",
            "properties.minimumTlsVersion is 'TLS12'",
            id="a value",
        ),
        pytest.param(
            "app/alerts.bicep",
            "timeAggregation: 'Count'",
            "timeAggregation: 'Sum'",
            "properties.criteria.allOf[0].timeAggregation is 'Sum'",
            id="a value deep inside",
        ),
        pytest.param(
            "app/alert-receiver.bicep",
            "useCommonAlertSchema: true",
            "useCommonSchema: true",
            "azureFunctionReceivers[0].useCommonSchema does not exist",
            id="a property in a branch",
        ),
        pytest.param(
            "core/private-endpoints.bicep",
            "name: 'dns-${zoneName}'",
            "name: 'dns-${zonesName}'",
            "zonesName is not declared",
            id="a loop's variable",
        ),
        pytest.param(
            "main.bicep", "toLower(unique", "lower(unique", "lower is not declared", id="a function"
        ),
        pytest.param(
            "core/key-vault.bicep",
            "@onlyIfNotExists()",
            "@onlyIfMissing()",
            "onlyIfMissing is not declared",
            id="a decorator",
        ),
    ],
)
def test_a_planted_fault_is_found(name: str, old: str, new: str, says: str) -> None:
    assert says in "\n".join(planted(name, old, new))


def test_pycep_refuses_what_is_no_bicep(tmp_path: Path) -> None:
    bad = tmp_path / "bad.bicep"
    text = (INFRA / "core" / "storage.bicep").read_text("utf-8")
    bad.write_text(text.replace("param location string", "param location ="))
    with pytest.raises(Exception, match="Unexpected"):
        pycep().parse(file_path=bad)
