"""The real app in azure-functions-runtime, the library of Azure's own Python 3.13 worker.

Collected only where that library is installed (conftest.py).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.host.worker.indexing import index_app
from tests.support.functions import app_functions
from tests.triggers.spoiled import SPOILED

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    **json.loads((ROOT / "local.settings.json.example").read_text())["Values"],
    "REQUEST_ID_KEY": "a key of these tests",
}

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def seen() -> Seen:
    """What the app is and does in Azure's worker library."""
    return printed_by()


def printed_by(*arguments: str) -> Seen:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.triggers.real_runtime", *arguments],
        cwd=ROOT,
        env={**SETTINGS, "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4_000:]
    found: Seen = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_azure_registers_the_same_functions_with_the_same_bindings_as_our_host(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.delitem(sys.modules, "function_app", raising=False)
    ours = index_app(ROOT)
    monkeypatch.delitem(sys.modules, "function_app", raising=False)
    assert seen["functions"] == {
        name: {"bindings": function.bindings, "retried": function.retry is not None}
        for name, function in ours.items()
    }


def test_azure_serves_its_http_functions_as_streams(seen: Seen) -> None:
    assert "HttpUri" in seen["capabilities"]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert seen["health"] == {"status": "ok", "python": python}


def test_azure_finds_every_function_with_each_setting_bad_and_with_all() -> None:
    found = printed_by("--spoiled")
    assert found.keys() == {case.id for case in SPOILED}
    expected = sorted(app_functions())
    assert len(expected) == 14
    assert {name: names for name, names in found.items() if names != expected} == {}


def test_a_batch_with_an_event_that_is_none_leaves_a_dead_letter_and_its_position(
    seen: Seen,
) -> None:
    outputs = seen["dispatch"]
    assert outputs.keys() == {"deadletters", "positions"}
    (dead_letter,) = outputs["deadletters"]
    assert base64.b64decode(dead_letter["body_base64"]) == b'{"not an event'
    assert (dead_letter["hub"], dead_letter["partition"]) == ("requests", "3")
    (position,) = outputs["positions"]
    assert position["id"] == "position:requests:3"
    assert position["sequence_number"] == 7
