""".vscode: what the editor is told to run exists."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.dev.cli import COMMANDS
from tests.support.schemas import ROOT

FOLDER = ROOT / ".vscode"


def content(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return read


TASKS = {task["label"]: task for task in content("tasks.json")["tasks"]}
CONFIGURATIONS = content("launch.json")["configurations"]


def test_each_task_has_a_name_of_its_own() -> None:
    assert len(TASKS) == len(content("tasks.json")["tasks"])


@pytest.mark.parametrize("label", TASKS)
def test_what_a_task_runs_and_waits_for_exists(label: str) -> None:
    task = TASKS[label]
    assert task.get("dependsOn", label) in TASKS
    program, _, rest = task["command"].partition(" ")
    if program == "./dev":
        assert rest.split()[0] in {command.name for command in COMMANDS}


@pytest.mark.parametrize("label", [label for label in TASKS if TASKS[label].get("isBackground")])
def test_who_waits_for_a_task_that_goes_on_is_told_when_it_is_ready(label: str) -> None:
    from local.dev.commands.up import STOP

    matcher = TASKS[label]["problemMatcher"]
    if label == "func: host start":
        assert matcher == "$func-python-watch"  # of the extension for Azure Functions
    else:
        assert matcher["background"]["endsPattern"] in STOP


def test_debugging_attaches_to_the_worker_that_its_task_starts() -> None:
    functions = next(one for one in CONFIGURATIONS if one["request"] == "attach")
    assert functions["preLaunchTask"] in TASKS
    # the port that `func host start` has the Python worker listen on, as the extension sets it up
    assert functions["connect"] == {"host": "localhost", "port": 9091}


def test_the_settings_that_func_start_reads_are_those_of_the_local_system() -> None:
    copied = TASKS["local settings"]["command"].split()
    assert copied == ["cp", ".local/data/local.settings.json", "local.settings.json"]


def test_every_extension_is_named_in_full() -> None:
    assert all(name.count(".") == 1 for name in content("extensions.json")["recommendations"])
