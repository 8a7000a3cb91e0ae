"""Where the templates are, and the tables that they are checked by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.bicep.syntax import BicepFile, read
from tests.support.schemas import FOLDER, ROOT

INFRA = ROOT / "infra"
TEMPLATES = sorted(INFRA.rglob("*.bicep"))
POLICIES = sorted((INFRA / "app" / "policies").rglob("*.xml"))


def table(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


TYPES: Mapping[str, Any] = {**table("azure-resource-types"), **table("azure-monitor-types")}
"""Made by resource_types.py, and by hand."""
MODULES: Mapping[str, Any] = table("azure-verified-modules")
"""Parameters and outputs of the pinned versions, as public templates use those versions."""


def template(name: str) -> BicepFile:
    """By its path in infra, such as `core/cosmos.bicep`."""
    return read(INFRA / name)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))
