"""preprovision as azd runs it: the wrappers, whatever Python there is, and a stub of `az`."""

from __future__ import annotations

import ast
import json
import re
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.infra.azd.places import INFRA
from tests.infra.azd.preprovision import ACCOUNT, BUYS, USUAL
from tests.infra.azd.test_preprovision_state import NOTED, answers
from tests.support.schemas import ROOT, documents

SCRIPTS = INFRA / "scripts"
MODULES = sorted(SCRIPTS.rglob("*.py"))


def python_3_9() -> str | None:
    """The oldest Python that the hooks promise to run on, if this machine has it."""
    found = shutil.which("python3.9")
    if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        found = None  # the stand-in of a version manager
    homes = (Path.home() / ".pyenv" / "versions").glob("3.9*/bin/python3.9")
    return found or next((str(one) for one in homes), None)


class Machine:
    """A machine with `sh`, some Pythons, and perhaps `az` and `azd`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls.jsonl"

    def program(self, name: str, text: str) -> None:
        file = self.folder / name
        file.write_text(text)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def python(self, name: str, executable: str) -> None:
        self.program(name, f'#!/bin/sh\nexec {executable} "$@"\n')

    def azure(self, given: dict[str, Any]) -> None:
        """`az` and `azd` that answer from a table, as AzStub does."""
        table = {
            begins: one
            if isinstance(one, (list, dict))
            else {"_code": one.code, "_error": one.error}
            for begins, one in given.items()
        }
        (self.folder / "answers.json").write_text(json.dumps(table))
        text = textwrap.dedent(
            f"""\
            #!{sys.executable}
            import json, sys
            name = {{name!r}}
            with open({str(self.log)!r}, "a") as log:
                print(json.dumps([name, *sys.argv[1:]]), file=log)
            with open({str(self.folder / "answers.json")!r}) as file:
                answers = json.load(file)
            line = " ".join([name, *sys.argv[1:]])
            fitting = [begins for begins in answers if line.startswith(begins)]
            answer = answers[max(fitting, key=len)] if fitting else None
            if isinstance(answer, dict) and "_code" in answer:
                print(answer["_error"], file=sys.stderr)
                sys.exit(answer["_code"])
            if answer is not None:
                print(json.dumps(answer))
            """
        )
        for name in ("az", "azd"):
            self.program(name, text.replace("{name!r}", repr(name)))

    @property
    def calls(self) -> list[str]:
        if not self.log.exists():
            return []
        return [" ".join(json.loads(line)) for line in self.log.read_text().splitlines()]

    def hook(self, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(SCRIPTS / "preprovision.sh")],
            # only what is put here, and `dirname` of the wrappers
            env={"PATH": str(self.folder), **env},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    for name in ("dirname", "sh"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    found.python("python3", sys.executable)
    return found


def test_provisioning_stops_before_anything_is_created(machine: Machine) -> None:
    machine.azure(answers())
    done = machine.hook({**USUAL, "OPENAI_RESOURCE_ID": "", "PTU_DEPLOYMENTS": ""})
    assert done.returncode == 1
    assert "Nothing was created yet" in done.stderr
    assert "azd env set OPENAI_RESOURCE_ID" in done.stderr
    assert "azd env set PTU_DEPLOYMENTS" in done.stderr
    assert not any("azd env set" in call for call in machine.calls)


def test_what_is_good_goes_on_and_is_noted(machine: Machine) -> None:
    machine.azure(answers())
    done = machine.hook(USUAL)
    assert done.returncode == 0, done.stderr
    kept = [call for call in machine.calls if call.startswith("azd env set")]
    assert kept == [f"azd env set {name} {NOTED[name]} --environment dev" for name in NOTED]


def test_without_az_it_says_where_to_get_it(machine: Machine) -> None:
    done = machine.hook(USUAL)
    assert done.returncode == 1
    assert "az is not installed: https://aka.ms/azure-cli" in done.stderr


def test_a_pipeline_is_told_what_to_set_and_never_waits(machine: Machine) -> None:
    machine.azure(answers())
    done = machine.hook({**USUAL, **BUYS, "CI": "true"})
    assert done.returncode == 1
    assert "azd env set PTU_PURCHASE_CONFIRMED" in done.stderr
    assert ACCOUNT in done.stderr


def test_without_python_the_wrapper_says_what_is_needed(machine: Machine) -> None:
    (machine.folder / "python3").unlink()
    done = machine.hook(USUAL)
    assert done.returncode == 1
    assert "Python 3.9 or newer is needed" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("#!/bin/sh\necho 'not installed' >&2\nexit 9\n", id="a stand-in"),
        pytest.param(
            '#!/bin/sh\n[ "$1" = "-c" ] && exit 1\necho "an old Python ran" >&2\nexit 0\n',
            id="an old version",
        ),
    ],
)
def test_a_python_that_is_of_no_use_is_passed_over(machine: Machine, text: str) -> None:
    machine.azure(answers())
    machine.program("python3", text)
    machine.python("python", sys.executable)
    done = machine.hook(USUAL)
    assert done.returncode == 0, done.stderr
    assert machine.calls


def test_the_probe_refuses_versions_before_3_9() -> None:
    for name in ("hook.sh", "hook.ps1"):
        text = (SCRIPTS / name).read_text(encoding="utf-8")
        assert "sys.exit(sys.version_info < (3, 9))" in text


# --- Python 3.9 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_a_module_is_python_3_9_with_nothing_but_the_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names <= {"infra"}


def test_preprovision_runs_on_python_3_9(machine: Machine) -> None:
    oldest = python_3_9()
    if oldest is None:
        pytest.skip("there is no Python 3.9 on this machine")
    machine.azure(answers())
    machine.python("python3", oldest)
    done = machine.hook({**USUAL, "VNET_ENABLED": "true", "ALERT_EMAIL": "me@example.com"})
    assert done.returncode == 0, done.stderr
    assert "within 30 minutes" in done.stderr
    done = machine.hook({**USUAL, **BUYS, "PTU_COUNT": "x", "HUB_PARTITIONS": "0"})
    assert "PTU_COUNT is 'x'" in done.stderr


# --- hook.ps1 and azure.yaml ----------------------------------------------------------------------


def test_windows_powershell_does_not_stop_at_what_a_probe_says() -> None:
    """In 5.1 a redirected line of stderr is an error, which ends the script under `Stop`."""
    text = (SCRIPTS / "hook.ps1").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    (probe,) = [at for at, line in enumerate(lines) if line.startswith("& $python -c $probe")]
    before = [line for line in lines[:probe] if line.startswith("$ErrorActionPreference")]
    assert before[-1] == "$ErrorActionPreference = 'Continue'"
    (loop,) = re.findall(r"foreach \(\$python in (.*)\) \{", text)
    assert loop == "'py', 'python3', 'python'", "the launcher first: it is never the stand-in"


def test_azd_is_one_whose_down_deletes_nothing_of_others() -> None:
    (azure_yaml,) = documents(ROOT / "azure.yaml")
    assert azure_yaml["requiredVersions"]["azd"] == ">= 1.31.2"
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert "[azd](https://aka.ms/azd-install) 1.31.2 or newer" in page
    assert "1.20" not in page
