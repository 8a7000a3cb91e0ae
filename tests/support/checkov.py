"""checkov, run on files of the repository in its own environment, without the network."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import checkov


@dataclass(frozen=True, slots=True)
class Scan:
    """What checkov found; each finding as `check: path of the file: resource`."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    skipped: Mapping[str, str]
    """By finding, the reason that stands in the file."""
    unread: tuple[str, ...]
    """Files that it could not parse, and so left out."""
    broken: tuple[str, ...]
    """Checks that failed to run, and so said nothing."""

    @property
    def checks(self) -> int:
        return len(self.passed) + len(self.failed) + len(self.skipped)


def scan(*places: Path, framework: str) -> Scan:
    """Scan folders or files. `framework`: bicep, dockerfile, kubernetes, …"""
    done = subprocess.run(
        [
            str(checkov.ensure()),
            *(part for one in places for part in ("-d" if one.is_dir() else "-f", str(one))),
            "--framework",
            framework,
            "--output",
            "json",
            "--compact",
            "--skip-download",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "LOG_LEVEL": "ERROR", "CHECKOV_RUN_SCA_PACKAGE_SCAN_V2": "false"},
        check=False,
    )
    broken = [line for line in done.stderr.splitlines() if "Failed to run check" in line]
    try:
        content = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"checkov said no JSON:\n{done.stdout}\n{done.stderr}") from None
    return _scan(content if isinstance(content, list) else [content], broken=broken)


def _scan(reports: Sequence[Mapping[str, Any]], *, broken: Sequence[str]) -> Scan:
    results = [one["results"] for one in reports if "results" in one]
    return Scan(
        passed=tuple(_said(one) for r in results for one in r["passed_checks"]),
        failed=tuple(_said(one) for r in results for one in r["failed_checks"]),
        skipped={
            _said(one): one["check_result"].get("suppress_comment", "")
            for r in results
            for one in r["skipped_checks"]
        },
        unread=tuple(str(file) for r in results for file in r["parsing_errors"]),
        broken=tuple(broken),
    )


def _said(one: Mapping[str, Any]) -> str:
    return f"{one['check_id']}: {one['file_abs_path']}: {one['resource']}"
