"""The vendored schemas of tests/infra/schemas, and what is wrong with a document by one of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "infra" / "schemas"


@cache
def schema(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def problems(document: object, against: dict[str, Any]) -> list[str]:
    """What is wrong, each as `place: message`; nothing for a valid document."""
    errors = Draft202012Validator(against).iter_errors(document)
    return sorted(f"{'/'.join(map(str, error.path))}: {error.message}" for error in errors)


def documents(path: Path) -> list[dict[str, Any]]:
    """Every document of a YAML file."""
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]
