"""What callers may send, and the ids that they get."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from .group import SettingsGroup, from_json
from .setting_errors import Misfit, Missing


class QueueSettings(SettingsGroup):
    request_id_key_uri: str | None = Field(
        None,
        alias="REQUEST_ID_KEY_URI",
        pattern=r"^https://[^/\s]+/secrets/[0-9A-Za-z-]+/?$",
        description="URI, without a version, of the Key Vault secret that signs request ids; the "
        "app reads it by its identity, and REQUEST_ID_KEY is not used",
        examples=["https://NAME.vault.azure.net/secrets/request-id-key"],
    )
    request_id_keys: Annotated[
        tuple[Annotated[SecretStr, Field(min_length=16)], ...] | None, NoDecode
    ] = Field(
        None,
        validate_default=True,
        alias="REQUEST_ID_KEY",
        min_length=1,
        description="secret that signs request ids, at least 16 characters (or use "
        "REQUEST_ID_KEY_URI), or a JSON array of several: the first signs new ids, ids of all of "
        "them are known",
        examples=["the output of: openssl rand -base64 32"],
    )
    max_items: int = Field(
        5_000,
        alias="MAX_ITEMS",
        gt=0,
        le=100_000,
        description="most items a call of POST /producer may have",
        examples=["5000"],
    )
    max_body_bytes: int = Field(
        20_000_000,
        alias="MAX_BODY_BYTES",
        gt=0,
        le=100_000_000,
        description="largest body of POST /producer (Functions itself ends at 100 MB)",
        examples=["20000000"],
    )
    default_deadline_seconds: float = Field(
        86_400,
        alias="DEFAULT_DEADLINE_SECONDS",
        gt=0,
        description="deadline of a request that names none",
        examples=["86400"],
    )
    hub_retention_seconds: float = Field(
        604_800,
        alias="HUB_RETENTION_SECONDS",
        gt=0,
        le=7_776_000,
        description="retention of the hubs (90 days at most); no deadline may lie beyond it",
        examples=["604800"],
    )
    soon_seconds: float = Field(
        900,
        alias="SOON_SECONDS",
        ge=0,
        description="a deadline nearer than this goes to the hub requests-soon",
        examples=["900"],
    )
    spillover_lead_seconds: float = Field(
        60,
        alias="SPILLOVER_LEAD_SECONDS",
        gt=0,
        le=3_600,
        description="how long before its deadline a request leaves for pay-as-you-go, if it may",
        examples=["60"],
    )

    @field_validator("request_id_keys", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any, info: ValidationInfo) -> Any:
        if cls._ignores(info):
            return None
        if value is None:
            raise Missing
        if isinstance(value, str):
            return from_json(value) if value.startswith("[") else (value,)
        return value

    @classmethod
    def _ignores(cls, info: ValidationInfo) -> bool:
        """With REQUEST_ID_KEY_URI the reference of an older release may stand beside it, resolved
        or not: it is not looked at."""
        return info.field_name == "request_id_keys" and bool(
            info.data.get("request_id_key_uri", "malformed")
        )

    @field_validator("request_id_keys")
    @classmethod
    def _not_the_example(cls, keys: tuple[SecretStr, ...] | None) -> tuple[SecretStr, ...] | None:
        if any(key.get_secret_value().startswith("replace-me") for key in keys or ()):
            raise ValueError("this is the example's text, which everybody knows")
        return keys

    def check_queue(self) -> None:
        """Raises Misfit."""
        if self.default_deadline_seconds > self.hub_retention_seconds:
            raise Misfit(
                "DEFAULT_DEADLINE_SECONDS must not exceed HUB_RETENTION_SECONDS",
                "DEFAULT_DEADLINE_SECONDS",
                "HUB_RETENTION_SECONDS",
            )
