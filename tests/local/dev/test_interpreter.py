"""Which Python `./dev` runs on."""

import ast
import sys
from pathlib import Path

import pytest

from local.dev import errors, interpreter, start
from local.dev.errors import DevError

HERE = sys.version_info[:2]


def stand_in(path: Path, *, answer: str, code: int = 0) -> Path:
    """An executable that answers as an interpreter would, or as a broken one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def other_supported() -> tuple[int, int]:
    return next(version for version in interpreter.SUPPORTED if version != HERE)


@pytest.mark.parametrize(
    ("argv", "wanted", "rest"),
    [
        pytest.param(["test", "-x"], None, ["test", "-x"], id="not given"),
        pytest.param(["--python", "3.12", "test"], "3.12", ["test"], id="before the command"),
        pytest.param(["test", "--python=3.12", "-x"], "3.12", ["test", "-x"], id="after it"),
        pytest.param(
            ["test", "--", "--python", "x"], None, ["test", "--", "--python", "x"], id="after --"
        ),
    ],
)
def test_the_python_option_may_stand_anywhere(
    argv: list[str], wanted: str | None, rest: list[str]
) -> None:
    assert interpreter.split_python_option(argv) == (wanted, rest)


def test_the_python_option_needs_a_value() -> None:
    with pytest.raises(DevError, match=r"--python 3\.12"):
        interpreter.split_python_option(["test", "--python"])


def test_the_running_interpreter_is_used_when_nothing_else_is_asked_for() -> None:
    assert interpreter.choose(wanted=None, environ={"PATH": ""}) == sys.executable


def test_a_version_is_found_on_the_path(tmp_path: Path) -> None:
    major, minor = other_supported()
    name = f"python{major}.{minor}"
    stand_in(tmp_path / "broken" / name, answer="not switched on", code=127)
    good = stand_in(tmp_path / "good" / name, answer=f"{major} {minor}")
    path = f"{tmp_path / 'broken'}:{tmp_path / 'good'}"
    assert interpreter.choose(wanted=f"{major}.{minor}", environ={"PATH": path}) == str(good)


def test_a_version_is_found_among_those_of_pyenv_newest_first(tmp_path: Path) -> None:
    major, minor = other_supported()
    for patch in (1, 2):
        stand_in(
            tmp_path / f"versions/{major}.{minor}.{patch}/bin/python{major}.{minor}",
            answer=f"{major} {minor}",
        )
    environ = {"PATH": "", "PYENV_ROOT": str(tmp_path)}
    chosen = interpreter.choose(wanted=f"{major}.{minor}", environ=environ)
    assert f"{major}.{minor}.2" in chosen


def test_a_path_is_taken_as_it_is_and_the_variable_means_the_same(tmp_path: Path) -> None:
    major, minor = other_supported()
    python = stand_in(tmp_path / "python", answer=f"{major} {minor}")
    assert interpreter.choose(wanted=str(python), environ={}) == str(python)
    assert interpreter.choose(wanted=None, environ={"DEV_PYTHON": str(python)}) == str(python)


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        pytest.param("3.9", "", id="version that is not supported"),
        pytest.param("{path}", "3 9", id="path of one that is not supported"),
        pytest.param("{path}", "hello", id="path of something else"),
        pytest.param("/nowhere/python", "", id="nothing there"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, wanted: str, answer: str) -> None:
    python = stand_in(tmp_path / "python", answer=answer)
    name = wanted.format(path=python)
    with pytest.raises(DevError, match=f"--python {name}"):
        interpreter.choose(wanted=name, environ={"PATH": ""})


def test_a_version_that_is_not_installed_is_named(tmp_path: Path) -> None:
    major, minor = other_supported()
    with pytest.raises(DevError, match=rf"Python {major}\.{minor} was not found"):
        interpreter.choose(
            wanted=f"{major}.{minor}", environ={"PATH": "", "PYENV_ROOT": str(tmp_path)}
        )


@pytest.mark.parametrize("module", [interpreter, errors, start])
def test_what_runs_first_can_be_parsed_by_an_old_python(module: object) -> None:
    source = Path(str(getattr(module, "__file__", ""))).read_text()
    ast.parse(source, feature_version=(3, 7))
