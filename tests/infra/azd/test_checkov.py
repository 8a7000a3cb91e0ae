"""checkov's checks of Bicep pass; each exception has its reason in the file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.infra.azd.places import INFRA, TEMPLATES
from tests.support.checkov import Scan, scan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`infra` as it is, and `planted` with faults: a run of checkov costs more than its checks."""
    folder = tmp_path_factory.mktemp("checkov")
    shutil.copytree(INFRA, folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    planted = folder / "planted"
    planted.mkdir()
    storage = (INFRA / "core" / "storage.bicep").read_text(encoding="utf-8")
    (planted / "storage.bicep").write_text(
        storage.replace("minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'")
    )
    hubs = (INFRA / "core" / "event-hubs.bicep").read_text(encoding="utf-8")
    (planted / "hubs.bicep").write_text(hubs.replace("param location string", "param location ="))
    cosmos = (INFRA / "core" / "cosmos.bicep").read_text(encoding="utf-8")
    (planted / "cosmos.bicep").write_text(re.sub(r"\n +// checkov:skip[^\n]*", "", cosmos))
    return folder


@pytest.fixture(scope="module")
def both(folder: Path) -> Scan:
    return scan(folder, framework="bicep")


@pytest.fixture(scope="module")
def infra(folder: Path) -> str:
    return f"{folder / 'infra'}/"


@pytest.fixture(scope="module")
def planted(folder: Path) -> str:
    return f"{folder / 'planted'}/"


def of(findings: Iterable[str], folder: str) -> list[str]:
    return [one for one in findings if folder in one]


def test_the_checks_pass(both: Scan, infra: str) -> None:
    assert of(both.failed, infra) == []
    assert of(both.unread, infra) == [], "what cannot be read is not checked either"
    assert both.broken == ()


def test_resources_of_every_kind_that_holds_something_were_checked(both: Scan, infra: str) -> None:
    checked = {Path(one.split(": ")[1]).name for one in of(both.passed, infra)}
    assert checked >= {
        "storage.bicep",
        "event-hubs.bicep",
        "cosmos.bicep",
        "key-vault.bicep",
        "openai-account.bicep",
        "api-management.bicep",
    }
    assert len(of(both.passed, infra)) >= 15


def test_every_exception_says_why(both: Scan, infra: str) -> None:
    skipped = {one: why for one, why in both.skipped.items() if infra in one}
    assert skipped
    assert all(len(why) > 30 for why in skipped.values())


def test_every_exception_is_needed(both: Scan, infra: str) -> None:
    written = [
        f"{check}: {infra}{path.relative_to(INFRA)}"
        for path in TEMPLATES
        for check in re.findall(r"checkov:skip=(\w+):", path.read_text(encoding="utf-8"))
    ]
    skipped = [one.rpartition(": ")[0] for one in both.skipped if infra in one]
    assert sorted(written) == sorted(skipped)


def test_a_planted_fault_is_found(both: Scan, planted: str) -> None:
    failed = [one.split(": ")[0] for one in of(both.failed, planted)]
    assert sorted(failed) == ["CKV_AZURE_101", "CKV_AZURE_44"]


def test_a_file_that_cannot_be_read_is_told(both: Scan, planted: str) -> None:
    assert [Path(one).name for one in of(both.unread, planted)] == ["hubs.bicep"]
