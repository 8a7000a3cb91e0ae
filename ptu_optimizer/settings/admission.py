"""How much the queue may send at which utilization, and how long a signal counts."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from .group import SettingsGroup, from_json
from .setting_errors import Misfit


class PriorityLimits(BaseModel):
    """The two limits of one priority, as in the setting PRIORITY_LIMITS; 1.0 is 100 %."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    lower: Annotated[float, Field(ge=0)]
    upper: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError("lower must be below upper")
        return self


class AdmissionSettings(SettingsGroup):
    max_concurrent_calls: int = Field(
        64,
        alias="MAX_CONCURRENT_CALLS",
        gt=0,
        description="most calls under way per deployment and process",
        examples=["64"],
    )
    lower_limit: float = Field(
        0.2,
        alias="LOWER_LIMIT",
        ge=0,
        description="utilization up to which batch work runs at full speed; 1.0 is 100 %",
        examples=["0.2"],
    )
    upper_limit: float = Field(
        0.8,
        alias="UPPER_LIMIT",
        gt=0,
        le=1,
        description="utilization from which no batch work is sent; 1.0 is 100 %",
        examples=["0.8"],
    )
    priority_limits: Annotated[dict[Literal["high", "normal"], PriorityLimits], NoDecode] = Field(
        default_factory=dict,
        alias="PRIORITY_LIMITS",
        description="JSON object of limits by priority that differ from LOWER_LIMIT and "
        "UPPER_LIMIT",
        examples=['{"high": {"lower": 0.4, "upper": 0.9}}'],
    )
    live_ttl_seconds: float = Field(
        15,
        alias="LIVE_TTL_SECONDS",
        gt=0,
        description="how long a utilization header is acted upon",
        examples=["15"],
    )
    metric_ttl_seconds: float = Field(
        300,
        alias="METRIC_TTL_SECONDS",
        gt=0,
        description="how long a point of the one-minute metric is acted upon, from its time",
        examples=["300"],
    )
    reading_exchange_seconds: float = Field(
        0.25,
        alias="READING_EXCHANGE_SECONDS",
        gt=0,
        description="how often working processes exchange fresh readings",
        examples=["0.25"],
    )

    @field_validator("priority_limits", mode="before")
    @classmethod
    def _limits_from_json(cls, value: Any) -> Any:
        return from_json(value)

    @property
    def limits(self) -> dict[str, PriorityLimits]:
        """The limits of every priority."""
        usual = PriorityLimits(lower=self.lower_limit, upper=self.upper_limit)
        return {name: self.priority_limits.get(name, usual) for name in ("high", "normal")}

    def check_admission(self) -> None:
        """Raises Misfit."""
        if self.lower_limit >= self.upper_limit:
            raise Misfit("LOWER_LIMIT must be below UPPER_LIMIT", "LOWER_LIMIT", "UPPER_LIMIT")
