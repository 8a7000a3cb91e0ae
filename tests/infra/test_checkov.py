"""checkov's checks of Dockerfiles and Kubernetes manifests pass, exceptions named in the files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import checkov
from tests.support.schemas import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
DOCKERFILES = (ROOT / "Dockerfile", ROOT / "local" / "emulators" / "Dockerfile")


@pytest.fixture(scope="module")
def command() -> Path:
    return checkov.ensure()


def results(command: Path, framework: str, *places: Path) -> dict[str, Any]:
    """What checkov says, as JSON; it asks nobody for anything."""
    chosen = [part for place in places for part in ("-d" if place.is_dir() else "-f", str(place))]
    answer = subprocess.run(
        [command, "--framework", framework, "--skip-download", "--output", "json", *chosen],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode in (0, 1), answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def failed(found: dict[str, Any]) -> set[str]:
    return {one["check_id"] for one in found["results"]["failed_checks"]}


def test_dockerfiles_pass(command: Path) -> None:
    found = results(command, "dockerfile", *DOCKERFILES)
    assert failed(found) == set()
    assert found["summary"]["passed"] > 50
    assert found["summary"]["parsing_errors"] == 0


def test_kubernetes_manifests_pass_but_for_the_exceptions_that_say_why(command: Path) -> None:
    found = results(command, "kubernetes", KUBERNETES)
    assert failed(found) == set()
    assert found["summary"]["passed"] > 100
    assert found["summary"]["parsing_errors"] == 0
    skipped = found["results"]["skipped_checks"]
    assert {one["check_id"] for one in skipped} == {"CKV_K8S_35", "CKV_K8S_43"}
    assert all(one["check_result"]["suppress_comment"] for one in skipped)


def test_every_exception_says_why() -> None:
    for path in KUBERNETES.rglob("*.yaml"):
        for line in re.findall(r"checkov.io/skip\d+: (.*)", path.read_text()):
            check, _, reason = line.partition("=")
            assert re.fullmatch(r"CKV2?_K8S_\d+", check)
            assert len(reason) > 20


def test_planted_faults_are_found(command: Path, tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    text = DOCKERFILES[0].read_text()
    dockerfile.write_text(re.sub(r"^USER.*$", "", text, flags=re.MULTILINE))
    assert failed(results(command, "dockerfile", dockerfile)) == {"CKV_DOCKER_3"}
    manifests = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES / "base", manifests)
    http = manifests / "http.yaml"
    http.write_text(http.read_text().replace("RootFilesystem: true", "RootFilesystem: false"))
    assert "CKV_K8S_22" in failed(results(command, "kubernetes", manifests))
