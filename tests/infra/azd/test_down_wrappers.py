"""predown and postdown as azd runs them: in sh, with a stub `az` and `azd` on the PATH."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from infra.scripts.tools import TRUE
from tests.infra.azd.down_case import CALLER, CREATED, ENV, OURS, READER, RULE, Case, deploy
from tests.infra.azd.fake_azure import NO_RIGHT, NOT_LOGGED_IN, Machine, group_id
from tests.infra.azd.places import INFRA

SCRIPTS = INFRA / "scripts"
EVENTS = pytest.mark.parametrize("event", ["predown", "postdown"])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    deploy(machine.azure)
    return machine


# --- what the wrappers decide themselves ---------------------------------------------------------


@EVENTS
@pytest.mark.parametrize("word", sorted(TRUE))
def test_skip_down_hooks_leaves_them_out_even_without_python(
    machine: Machine, event: str, word: str
) -> None:
    done = machine.hook(event, {**ENV, "SKIP_DOWN_HOOKS": word}, python=False)
    assert done.returncode == 0
    assert "may go on costing" in done.stdout
    assert machine.azure.calls == []


@EVENTS
@pytest.mark.parametrize("word", ["false", "", "no"])
def test_another_word_leaves_nothing_out(machine: Machine, event: str, word: str) -> None:
    machine.hook(event, {**ENV, "SKIP_DOWN_HOOKS": word})
    assert machine.azure.calls != []


@EVENTS
def test_without_a_subscription_there_is_nothing_to_do(machine: Machine, event: str) -> None:
    env = {name: value for name, value in ENV.items() if name != "AZURE_SUBSCRIPTION_ID"}
    done = machine.hook(event, env, python=False)
    assert done.returncode == 0
    assert machine.azure.calls == []


@EVENTS
def test_without_python_azd_is_stopped_and_the_way_out_is_named(
    machine: Machine, event: str
) -> None:
    done = machine.hook(event, ENV, python=False)
    assert done.returncode == 1
    assert "need Python 3.9 or newer" in done.stderr
    assert "azd env set SKIP_DOWN_HOOKS true" in done.stderr


@EVENTS
def test_a_python_that_is_too_old_is_none(machine: Machine, event: str) -> None:
    old = machine.programs / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    done = machine.hook(event, ENV, python=False)
    assert done.returncode == 1
    assert "SKIP_DOWN_HOOKS" in done.stderr


# --- what the modules decide ---------------------------------------------------------------------


def test_without_az_azd_is_stopped_and_the_way_out_is_named(machine: Machine) -> None:
    machine.without("az")
    done = machine.hook("predown", ENV)
    assert done.returncode == 1
    assert "az is not installed" in done.stderr
    assert "azd env set SKIP_DOWN_HOOKS true" in done.stderr


@pytest.mark.parametrize(
    "error", [pytest.param(NOT_LOGGED_IN, id="no login"), pytest.param(NO_RIGHT, id="no rights")]
)
def test_without_login_or_rights_azd_is_stopped_and_the_way_out_is_named(
    machine: Machine, error: str
) -> None:
    machine.azure.refuse("group show", error)
    done = machine.hook("predown", ENV)
    assert done.returncode == 1
    assert "azd env set SKIP_DOWN_HOOKS true" in done.stderr
    assert machine.azure.changes == []


def test_a_foreign_group_stops_azd(machine: Machine) -> None:
    machine.azure.put(group_id("ai"))
    done = machine.hook("predown", {**ENV, "AZURE_RESOURCE_GROUP_NAME": "ai"})
    assert done.returncode == 1
    assert "azd down would delete all of it" in done.stderr


@pytest.mark.parametrize("flags", [[], ["--force"], ["--force", "--purge"]])
def test_without_an_answer_azd_is_stopped_whatever_flags_it_got(
    machine: Machine, tmp_path: Path, flags: list[str]
) -> None:
    case = Case(tmp_path)
    case.azure = machine.azure
    case.account_of_ours()
    done = machine.hook("predown", ENV, *flags)
    assert done.returncode == 1
    assert "azd env set DOWN_CONFIRMED dev" in done.stderr
    assert "about 73,000 USD a month" in done.stderr
    assert f"{CREATED}/deployments/ptu" in machine.azure.ids


def test_a_whole_take_down(machine: Machine, tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.azure = machine.azure
    case.account_of_ours()
    case.gateway_of_ours()
    ptu = case.deployment("ptu", tags=OURS)
    env = {**ENV, "DOWN_CONFIRMED": "dev", "PTU_PURCHASE_CONFIRMED": "…"}

    done = machine.hook("predown", env)
    assert done.returncode == 0, done.stderr
    assert f"{CREATED}/deployments/ptu" not in machine.azure.ids
    assert (machine.project / ".azure" / "dev" / "down.json").is_file()

    machine.azure.remove_group("rg-dev")
    done = machine.hook("postdown", env)
    assert done.returncode == 0, done.stderr
    assert machine.azure.ids & {ptu, RULE, READER, CALLER} == set()
    assert not [one for one in machine.azure.ids if "/deleted" in one]
    assert not (machine.project / ".azure" / "dev" / "down.json").exists()
    assert machine.azure.cleared == ["PTU_PURCHASE_CONFIRMED", "DOWN_CONFIRMED"]

    machine.azure.state["calls"].clear()
    done = machine.hook("postdown", ENV)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.azure.changes == []


def test_postdown_stops_while_the_group_is_there(machine: Machine) -> None:
    machine.hook("predown", ENV)
    done = machine.hook("postdown", ENV)
    assert done.returncode == 1
    assert "rg-dev is still there" in done.stderr
    assert machine.azure.changes == []


# --- PowerShell, as far as it can be read here ---------------------------------------------------


def test_powershell_decides_by_the_same_words() -> None:
    sh, ps1 = ((SCRIPTS / f"down.{kind}").read_text(encoding="utf-8") for kind in ("sh", "ps1"))
    (listed,) = re.findall(r"if \(@\((.*)\) -ccontains \$env:SKIP_DOWN_HOOKS", ps1)
    assert set(re.findall(r"'(\w+)'", listed)) == set(TRUE), "-ccontains tells case apart"
    (cases,) = re.findall(r"(?m)^  (.*)\)$", sh)
    assert {one.strip() for one in cases.split("|")} == set(TRUE)


def test_powershell_decides_before_it_looks_for_python() -> None:
    text = (SCRIPTS / "down.ps1").read_text(encoding="utf-8")
    order = [
        "-ccontains $env:SKIP_DOWN_HOOKS",
        "-not $env:AZURE_SUBSCRIPTION_ID",
        "'py', 'python3', 'python'",
    ]
    places = [text.index(one) for one in order]
    assert places == sorted(places)
    assert text.count("exit 0") == 2
    assert text.rstrip().endswith("exit 1"), "without Python"
    assert "azd env set SKIP_DOWN_HOOKS true" in text
    # a hook that ends with PowerShell's own code would hide that of Python
    assert "exit $LASTEXITCODE" in text


def test_both_systems_tell_the_same() -> None:
    def sentences(kind: str) -> list[str]:
        text = (SCRIPTS / f"down.{kind}").read_text(encoding="utf-8").replace('\\"', '"')
        return re.findall(
            r"(?:echo \"|Write-Host '|WriteLine\(')([^\n]*?)['\"]\)?(?: >&2)?\n", text
        )

    assert len(sentences("sh")) == 5
    assert sentences("sh") == sentences("ps1")
