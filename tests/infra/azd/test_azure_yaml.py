"""azure.yaml: valid by azd's schema, and what it runs is there, for every kind of system."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tree_sitter
import tree_sitter_powershell

from tests.infra.azd.places import INFRA
from tests.support.schemas import ROOT, documents, problems, schema

(AZURE_YAML,) = documents(ROOT / "azure.yaml")
SCRIPTS = INFRA / "scripts"
SHELL = sorted(SCRIPTS.glob("*.sh"))
POWERSHELL = sorted(SCRIPTS.glob("*.ps1"))


def hooks() -> list[tuple[str, str, dict[str, Any]]]:
    """(event, system, script) of every hook."""
    return [
        (event, system, hook[system])
        for event, hook in AZURE_YAML["hooks"].items()
        for system in ("posix", "windows")
    ]


def test_it_is_valid() -> None:
    assert problems(AZURE_YAML, schema("azure-yaml")) == []


def test_the_service_is_the_one_that_the_function_app_is_tagged_as() -> None:
    (name,) = AZURE_YAML["services"]
    text = (INFRA / "app" / "function-app.bicep").read_text(encoding="utf-8")
    assert f"'azd-service-name': '{name}'" in text


def test_the_infrastructure_is_where_it_says() -> None:
    infra = AZURE_YAML["infra"]
    assert (ROOT / infra["path"] / f"{infra['module']}.bicep").is_file()


@pytest.mark.parametrize(
    ("event", "system", "script"), hooks(), ids=[f"{e} {s}" for e, s, _ in hooks()]
)
def test_a_hook_runs_a_script_that_exists(event: str, system: str, script: dict[str, Any]) -> None:
    path = ROOT / script["run"]
    assert path.is_file()
    assert path.suffix == {"sh": ".sh", "pwsh": ".ps1"}[script["shell"]]
    assert path.stem == event
    assert (script["shell"] == "sh") == (system == "posix")


def modules(path: Path) -> list[str]:
    """Modules that a hook runs, in order."""
    known = "|".join(one.stem for one in SCRIPTS.glob("*.py"))
    return re.findall(rf"\b({known})\b(?!\.)", re.sub(r"(?m)^#.*$", "", path.read_text()))


@pytest.mark.parametrize("event", AZURE_YAML["hooks"])
def test_both_systems_run_the_same_modules(event: str) -> None:
    assert modules(SCRIPTS / f"{event}.sh") == modules(SCRIPTS / f"{event}.ps1") != []


@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(path: Path) -> None:
    assert shellcheck(path) == ""


@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.name)
def test_a_shell_script_can_be_run(path: Path) -> None:
    assert path.stat().st_mode & 0o111


@pytest.mark.parametrize("path", POWERSHELL, ids=lambda path: path.name)
def test_powershell_can_be_read(path: Path) -> None:
    assert powershell_errors(path.read_text(encoding="utf-8")) == []


def shellcheck(path: Path) -> str:
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("shellcheck")),
            "--shell=sh",
            str(path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def powershell_errors(source: str) -> list[str]:
    language = tree_sitter.Language(tree_sitter_powershell.language())
    root = tree_sitter.Parser(language).parse(source.encode()).root_node
    found, ahead = [], [root]
    while ahead:
        node = ahead.pop()
        if node.type == "ERROR" or node.is_missing:
            found.append(f"line {node.start_point.row + 1}")
        ahead += node.children
    return found


# --- the checks find what is planted -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda y: y.update(name="PTU Optimizer"), "name: ", id="a name"),
        pytest.param(lambda y: y["services"]["api"].pop("host"), "'host' is a required", id="host"),
        pytest.param(
            lambda y: y["services"]["api"].update(host="functions"), "'functions'", id="a host"
        ),
        pytest.param(
            lambda y: y["hooks"].update(postdeploys=y["hooks"]["postdeploy"]),
            "'postdeploys' was unexpected",
            id="an event that there is not",
        ),
        pytest.param(
            lambda y: y["hooks"]["postprovision"].update(interactive=True),
            "hooks/postprovision",
            id="a key beside windows and posix",
        ),
        pytest.param(lambda y: y["infra"].update(provider="arm"), "'arm'", id="a provider"),
    ],
)
def test_a_planted_fault_is_found(change: Callable[[Any], Any], says: str) -> None:
    changed = copy.deepcopy(AZURE_YAML)
    change(changed)
    assert says in "\n".join(problems(changed, schema("azure-yaml")))


def test_a_fault_in_a_script_is_found(tmp_path: Path) -> None:
    script = tmp_path / "hook.sh"
    script.write_text("#!/bin/sh\ncd $HOME/$1\n")
    assert "SC2086" in shellcheck(script)
    assert powershell_errors("foreach ($a in 1, 2) { & $a") != []
