"""Environments with bad settings: each setting in turn, and all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ptu_optimizer.settings.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
GOOD: dict[str, str] = {
    **json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))["Values"],
    "REQUEST_ID_KEY": "a key of these tests",
}
NAMES = sorted(str(field.alias) for field in Settings.model_fields.values())
UNRESOLVED = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"
"""This value is bad for every setting. The host itself refuses a bad schedule as well."""


def spoil(*names: str) -> dict[str, str | None]:
    return dict.fromkeys(names, UNRESOLVED)


SPOILED: list[Any] = [
    *(pytest.param(spoil(name), id=name) for name in NAMES),
    # the key is not looked at beside a URI, so one of the two is bad at a time
    pytest.param(spoil(*(n for n in NAMES if n != "REQUEST_ID_KEY")), id="all"),
]
