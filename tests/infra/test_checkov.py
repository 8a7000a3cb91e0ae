"""checkov's checks of Dockerfiles and Kubernetes manifests pass, exceptions named in the files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.support.checkov import Scan, scan
from tests.support.schemas import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
DOCKERFILES = (
    ROOT / "Dockerfile",
    ROOT / "local" / "emulators" / "Dockerfile",
    ROOT / "databricks" / "Dockerfile",
)


def ids(findings: Iterable[str]) -> set[str]:
    return {one.split(": ")[0] for one in findings}


def assert_all_was_read(found: Scan) -> None:
    assert found.failed == ()
    assert found.unread == (), "what cannot be read is not checked either"
    assert found.broken == ()


def test_dockerfiles_pass() -> None:
    found = scan(*DOCKERFILES, framework="dockerfile")
    assert_all_was_read(found)
    assert len(found.passed) > 50


def test_kubernetes_manifests_pass_but_for_the_exceptions_that_say_why() -> None:
    found = scan(KUBERNETES, framework="kubernetes")
    assert_all_was_read(found)
    assert len(found.passed) > 100
    assert ids(found.skipped) == {"CKV_K8S_35", "CKV_K8S_43"}
    assert all(found.skipped.values())


def test_every_exception_says_why() -> None:
    for path in KUBERNETES.rglob("*.yaml"):
        for line in re.findall(r"checkov.io/skip\d+: (.*)", path.read_text()):
            check, _, reason = line.partition("=")
            assert re.fullmatch(r"CKV2?_K8S_\d+", check)
            assert len(reason) > 20


def test_planted_faults_are_found(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    text = DOCKERFILES[0].read_text()
    dockerfile.write_text(re.sub(r"^USER.*$", "", text, flags=re.MULTILINE))
    assert ids(scan(dockerfile, framework="dockerfile").failed) == {"CKV_DOCKER_3"}
    manifests = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES / "base", manifests)
    http = manifests / "http.yaml"
    http.write_text(http.read_text().replace("RootFilesystem: true", "RootFilesystem: false"))
    assert "CKV_K8S_22" in ids(scan(manifests, framework="kubernetes").failed)
