"""The contract tests are skipped where npm has no registry, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.dev.errors import DevError
from tests.local.javascript import clients


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        pytest.param(
            "installing failed (exit code 1):\n    npm error code ENOTFOUND\n",
            "npm has no registry (ENOTFOUND)",
            id="no name server",
        ),
        pytest.param("    npm error code E404", "npm has no registry (E404)", id="not mirrored"),
        pytest.param(
            "    npm ERR! code ECONNREFUSED", "npm has no registry (ECONNREFUSED)", id="old"
        ),
        pytest.param(
            "Node.js 20 or newer is needed: none was found on PATH",
            "there is no Node.js 20 or newer",
            id="no Node.js",
        ),
        pytest.param("    npm error code EINTEGRITY", None, id="another package than locked"),
        pytest.param("    npm error code EUSAGE", None, id="the lock does not fit"),
        pytest.param("    npm error code ENOSPC", None, id="no room"),
    ],
)
def test_only_what_cannot_be_had_is_skipped(failure: str, reason: str | None) -> None:
    assert clients.reason_to_skip(failure) == reason


def npm(folder: Path, script: str) -> dict[str, str]:
    """An environment whose Node.js and npm are scripts."""
    folder.mkdir()
    for name, text in (("node", "echo v22.3.0"), ("npm", script)):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_a_machine_without_a_registry_is_told_apart_from_a_broken_lock(tmp_path: Path) -> None:
    away = npm(tmp_path / "away", "echo npm error code ENOTFOUND; exit 1")
    with pytest.raises(clients.Missing, match="npm has no registry"):
        clients.ensure(folder=tmp_path / "a", venv=tmp_path, environ=away, state=tmp_path)
    broken = npm(tmp_path / "broken", "echo npm error code EUSAGE; exit 1")
    with pytest.raises(DevError, match="EUSAGE"):
        clients.ensure(folder=tmp_path / "b", venv=tmp_path, environ=broken, state=tmp_path)


def test_the_locked_packages_are_installed_where_the_data_is(tmp_path: Path) -> None:
    environ = npm(tmp_path / "bin", 'test "$1" = ci && mkdir -p node_modules')
    found = clients.ensure(folder=tmp_path / "c", venv=tmp_path, environ=environ, state=tmp_path)
    assert found == clients.Clients(node=str(tmp_path / "bin" / "node"), folder=tmp_path / "c")
    locked = (clients.HERE / "package-lock.json").read_bytes()
    assert (tmp_path / "c" / "package-lock.json").read_bytes() == locked


def test_the_lock_names_no_registry() -> None:
    assert "resolved" not in (clients.HERE / "package-lock.json").read_text()
