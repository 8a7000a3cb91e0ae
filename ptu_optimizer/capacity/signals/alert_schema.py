"""Azure Monitor's common alert schema: what of a payload the app needs. Pure.

Every alert has the same `essentials`; they are held to the schema. `alertContext` differs from one
kind of alert to the next and may be null, so of it is taken what can be read and no more.

Source: "Common alert schema" and "Sample alert payloads", MicrosoftDocs/azure-monitor-docs
`articles/azure-monitor/alerts/alerts-common-schema.md` and
`articles/azure-monitor/alerts/alerts-payload-samples.md` (07/2026).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

SCHEMA_ID = "azureMonitorCommonAlertSchema"


class NotTheSchema(ValueError):
    """The payload is not a common alert; `path` is where."""

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class Condition(StrEnum):
    """`monitorCondition`."""

    FIRED = "fired"
    RESOLVED = "resolved"


# --- values ---------------------------------------------------------------------------------------


def _number(value: Any) -> float | None:
    """Thresholds come as text, metric values as numbers; what is neither is missing, not zero."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _time(value: Any) -> float | None:
    """Epoch seconds of an ISO 8601 time, which Azure writes with up to seven digits of a second
    and sometimes without a zone: it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _needed_time(value: Any) -> float:
    at = _time(value)
    if at is None:
        raise ValueError("must be a time in ISO 8601")
    return at


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _label(value: Any) -> str:
    """The value of a dimension: a status code may come as a number."""
    return str(value) if isinstance(value, int) else _text(value)


def _texts(value: Any) -> list[str]:
    return [one for one in map(_text, value) if one] if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _the_common_one(value: str) -> str:
    if value.lower() != SCHEMA_ID.lower():
        raise ValueError(
            f"must be {SCHEMA_ID}: switch the common alert schema on in the action group"
        )
    return value


def _condition(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


Number = Annotated[float | None, BeforeValidator(_number)]
Time = Annotated[float | None, BeforeValidator(_time)]
Text = Annotated[str, BeforeValidator(_text)]


# --- the schema -----------------------------------------------------------------------------------


class _Part(BaseModel):
    """An object of the payload. Its names are read in any case: Azure writes `alertRuleId` and
    `alertRuleID`, and has changed the case of whole payloads before (MicrosoftDocs/azure-docs
    issue 15020)."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _names_in_any_case(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        names = {str(info.alias).lower(): info.alias for info in cls.model_fields.values()}
        return {names.get(str(name).lower(), name): value for name, value in given.items()}


class Dimension(_Part):
    name: Text = ""
    value: Annotated[str, BeforeValidator(_label)] = ""


class Criterion(_Part):
    """One entry of `allOf`: all of a rule's criteria were met when it fired."""

    metric_name: Text = ""
    operator: Text = ""
    threshold: Number = None
    """As the rule has it; of a dynamic threshold, what was calculated."""
    metric_value: Number = None
    """In the metric's own unit."""
    dimensions: Annotated[tuple[Dimension, ...], BeforeValidator(_objects)] = ()

    def values_of(self, dimension: str) -> list[str]:
        return [d.value for d in self.dimensions if d.name.lower() == dimension.lower()]


class _Condition(_Part):
    all_of: Annotated[tuple[Criterion, ...], BeforeValidator(_objects)] = ()
    window_end_time: Time = None


class _Context(_Part):
    condition: Annotated[_Condition, BeforeValidator(_object)] = _Condition()


class Essentials(_Part):
    alert_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    alert_rule: Text = ""
    monitor_condition: Annotated[Condition, BeforeValidator(_condition)]
    alert_target_ids: Annotated[tuple[str, ...], BeforeValidator(_texts)] = Field(
        (), alias="alertTargetIDs"
    )
    fired_date_time: Annotated[float, BeforeValidator(_needed_time)]
    resolved_date_time: Time = None
    description: Text = ""


class _Data(_Part):
    essentials: Essentials
    alert_context: Annotated[_Context, BeforeValidator(_object)] = _Context()


class CommonAlert(_Part):
    """One delivery. Times are epoch seconds."""

    schema_id: Annotated[str, AfterValidator(_the_common_one)]
    data: _Data

    @property
    def essentials(self) -> Essentials:
        return self.data.essentials

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        return self.data.alert_context.condition.all_of

    @property
    def window_end(self) -> float | None:
        """When the window ended that was evaluated; missing in Microsoft's resolved sample."""
        return self.data.alert_context.condition.window_end_time

    @property
    def resolved(self) -> bool:
        return self.essentials.monitor_condition is Condition.RESOLVED


def parse_alert(content: object) -> CommonAlert:
    """Raises NotTheSchema."""
    try:
        return CommonAlert.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise NotTheSchema(
            path=".".join(str(part) for part in first["loc"]),
            reason="must be a JSON object" if first["type"] == "model_type" else reason,
        ) from None
