"""App settings: `local.settings.json` merged with the environment, `%NAME%` and connections."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.host.errors import RefusedError

log = logging.getLogger("host.settings")

_PLACEHOLDER = re.compile(r"%([^%]+)%")


class AppSettings:
    """The settings that the app and its bindings see."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)

    def get(self, name: str) -> str | None:
        """The value, or `None` where it is missing or empty."""
        return self.values.get(name) or None

    def require(self, name: str, *, where: str) -> str:
        """The value; a missing one is refused, naming who needs it."""
        value = self.get(name)
        if value is None:
            raise RefusedError(f"{where}: the app setting {name!r} is missing")
        return value

    def number(self, name: str, *, default: int) -> int:
        """The value as a whole number; anything else is refused."""
        text = self.get(name) or str(default)
        if not text.isdecimal():
            raise RefusedError(f"the app setting {name} must be a whole number, not {text!r}")
        return int(text)

    def resolve(self, text: str, *, where: str) -> str:
        """`text` with every `%NAME%` replaced by that app setting."""
        return _PLACEHOLDER.sub(lambda match: self.require(match[1], where=where), text)

    def section(self, name: str) -> dict[str, str]:
        """The settings `NAME__key`, by lower-case key: an identity-based connection."""
        prefix = f"{name}__".lower()
        return {
            key[len(prefix) :].lower(): value
            for key, value in self.values.items()
            if key.lower().startswith(prefix) and value
        }


def load_settings(path: Path | None, environment: Mapping[str, str]) -> AppSettings:
    """Merge `path` (the `Values` of a local.settings.json) under `environment`.

    A variable that the environment already has wins, as with `func start`.
    """
    values = _file_values(path) if path else {}
    for name in sorted(values.keys() & environment.keys()):
        if values[name] != environment[name]:
            log.warning("environment wins over local settings", extra={"setting": name})
    return AppSettings({**values, **environment})


def _file_values(path: Path) -> dict[str, str]:
    try:
        content: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RefusedError(f"--settings: {path} does not exist") from None
    except ValueError as error:
        raise RefusedError(f"--settings: {path} is not JSON: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("Values", {}), dict):
        raise RefusedError(f"--settings: {path} has no object 'Values'")
    if content.get("IsEncrypted"):
        raise RefusedError(f"--settings: {path} is encrypted; this host reads plain settings only")
    values = content.get("Values", {})
    for name, value in values.items():
        if not isinstance(value, str):
            raise RefusedError(f"--settings: {path}: the value of {name!r} must be a string")
    return dict(values)
