"""Files that say what git and the deployment make of the others."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from tests.support.schemas import ROOT

ATTRIBUTES = (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
NOT_DEPLOYED = (ROOT / ".funcignore").read_text(encoding="utf-8").split()


@pytest.mark.parametrize(
    "name", ["dev", ".ci/run", "infra/scripts/hook.sh", "infra/scripts/preprovision.sh"]
)
def test_a_shell_script_keeps_its_line_ends_in_a_clone_on_windows(name: str) -> None:
    rules = [line.split() for line in ATTRIBUTES if line and not line.startswith("#")]
    matching = [rest for pattern, *rest in rules if PurePath(name).match(pattern)]
    assert matching == [["text", "eol=lf"]]


@pytest.mark.parametrize(
    "folder", [".venv", "venv", "env", ".python_packages", "node_modules", ".databricks"]
)
def test_what_tools_leave_in_the_folder_is_not_deployed(folder: str) -> None:
    assert folder in NOT_DEPLOYED
