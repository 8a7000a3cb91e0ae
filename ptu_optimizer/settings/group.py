"""What all groups of settings share: how they are read, and what every value must be."""

from __future__ import annotations

import re
from typing import Any

import orjson
from pydantic import ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .setting_errors import NotJson

_REFERENCE = re.compile(r"(?i)@Microsoft\.(KeyVault|AppConfiguration)\(")
"""How App Service writes a reference. One that it cannot resolve reaches the app as this text
(learn, "Use Key Vault references as app settings"), which anybody can guess."""

UNRESOLVED = (
    "it is a reference that App Service could not resolve: the app's identity needs the right to "
    "read what it names, and a restart"
)


class SettingsGroup(BaseSettings):
    """Settings that belong together, read from the environment. Units are in the names; `examples`
    is what a setting should look like, for error messages."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _resolved(cls, value: Any, info: ValidationInfo) -> Any:
        texts = value if isinstance(value, list | tuple) else (value,)
        unresolved = any(isinstance(one, str) and is_unresolved_reference(one) for one in texts)
        if unresolved and not cls._ignores(info):
            raise ValueError(UNRESOLVED)
        return value

    @classmethod
    def _ignores(cls, info: ValidationInfo) -> bool:
        """Whether a setting is not looked at, because another one stands in its place."""
        return False


def is_unresolved_reference(value: str) -> bool:
    return _REFERENCE.search(value) is not None


def from_json(value: Any) -> Any:
    """A setting that is JSON. Raises NotJson."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise NotJson from None
