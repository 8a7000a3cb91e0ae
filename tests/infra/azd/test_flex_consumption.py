"""No template has what Flex Consumption refuses (error 51021, in newer regions)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.azd.places import INFRA, TEMPLATES, named, template
from tests.infra.azd.test_settings import set_on_the_app
from tests.support.bicep.syntax import BicepFile, parse, read, text_of, walk

REFUSED: dict[str, list[str]] = json.loads(
    (INFRA / "flex-consumption.json").read_text(encoding="utf-8")
)
"""Microsoft, "Flex Consumption plan deprecations" in the settings reference of Azure Functions, and
azure-cli#31414, azure-functions-host#10643. A star ends a prefix."""


def is_refused(name: str, kind: str) -> bool:
    return any(
        name.lower().startswith(one[:-1].lower())
        if one.endswith("*")
        else name.lower() == one.lower()
        for one in REFUSED[kind]
    )


def keys(file: BicepFile) -> Iterator[str]:
    """The names of all properties of a template, wherever they are."""
    for node in walk(file.root):
        if node.type == "object_property":
            yield text_of(node.named_children[0]).strip("'")


def texts(file: BicepFile) -> Iterator[str]:
    """All literals: a setting may be named as `{ name: 'X', value: 'y' }`."""
    for node in walk(file.root):
        if node.type == "string":
            yield text_of(node).strip("'")


def refused_in(file: BicepFile) -> set[str]:
    return {one for one in keys(file) if is_refused(one, "siteConfig")} | {
        one for one in (*keys(file), *texts(file)) if is_refused(one, "appSettings")
    }


def site_config() -> dict[str, Any]:
    found = template("app/function-app.bicep").of("module")["site"].value["params"]["siteConfig"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_no_template_has_what_flex_consumption_refuses(path: Path) -> None:
    assert refused_in(read(path)) == set()


def test_the_site_is_given_exactly_what_flex_consumption_has() -> None:
    """The object must be there: without it the module sends alwaysOn and ftpsState of its own."""
    assert site_config().keys() == {"http20Enabled", "minTlsVersion", "appSettings"}


def test_no_setting_that_reaches_the_app_is_refused() -> None:
    assert [one for one in set_on_the_app() if is_refused(one, "appSettings")] == []


def test_the_list_is_in_order_and_has_each_name_once() -> None:
    assert REFUSED.keys() == {"siteConfig", "appSettings"}
    for names in REFUSED.values():
        assert names == sorted(set(names), key=lambda name: (name.lower(), name))
    assert all(re.fullmatch(r"\w+\*?", one) for names in REFUSED.values() for one in names)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param(
            "      http20Enabled: true",
            "      ftpsState: 'Disabled'\n      http20Enabled: true",
            "ftpsState",
            id="a property",
        ),
        pytest.param(
            "      http20Enabled: true",
            "      alwaysOn: false\n      http20Enabled: true",
            "alwaysOn",
            id="a property that says no",
        ),
        pytest.param(
            "  COSMOS__credential: 'managedidentity'",
            "  FUNCTIONS_WORKER_RUNTIME: 'python'\n  COSMOS__credential: 'managedidentity'",
            "FUNCTIONS_WORKER_RUNTIME",
            id="a setting",
        ),
        pytest.param(
            "  COSMOS__credential: 'managedidentity'",
            "  WEBSITE_CONTENTSHARE: 'x'\n  COSMOS__credential: 'managedidentity'",
            "WEBSITE_CONTENTSHARE",
            id="a setting by its beginning",
        ),
        pytest.param(
            "{ name: 'ftp', allow: false }",
            "{ name: 'WEBSITE_RUN_FROM_PACKAGE', value: '1' }",
            "WEBSITE_RUN_FROM_PACKAGE",
            id="a setting in a list",
        ),
    ],
)
def test_a_planted_one_is_found(old: str, new: str, found: str) -> None:
    path = INFRA / "app" / "function-app.bicep"
    text = path.read_text(encoding="utf-8")
    assert old in text
    assert refused_in(parse(text.replace(old, new, 1), path=path)) == {found}
