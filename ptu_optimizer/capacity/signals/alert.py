"""What an alert of Azure Monitor last said of one deployment: a brake. Pure.

Metric alerts are stateful: one fires once, and says nothing more until it is resolved, which takes
three good evaluations (Microsoft, "What are Azure Monitor alerts?"). So a fired alert brakes until
it is resolved, or until it expires, in case the word of that is lost. Deliveries come at least once
and in any order: of two about the same alert the later event counts, whichever came first.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from .alert_schema import Condition
from .reading import InvalidReading, Reading, ReadingKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """Times are epoch seconds."""

    deployment: str
    alert_id: str
    """Of one firing. A rule that fires again makes another alert."""
    rule: str
    metric: str
    """Empty if the alert did not say."""
    operator: str
    threshold: float | None
    """1.0 is 100 % where the metric is the utilization; else in the metric's own unit."""
    value: float | None
    """The utilization, 1.0 is 100 %; None if it is not known, or the metric is another one."""
    state: Condition
    fired_at: float
    resolved_at: float | None
    observed_at: float
    """The end of the window that was evaluated."""
    expires_at: float
    description: str
    """For people."""

    def __post_init__(self) -> None:
        for name in _TIMES:
            if not math.isfinite(getattr(self, name)):
                raise InvalidReading(f"alert {self.rule}: {name} is not a time")
        for name in _OPTIONAL_NUMBERS:
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise InvalidReading(f"alert {self.rule}: {name} is not a number")
        if self.value is not None and self.value < 0:
            raise InvalidReading(f"alert {self.rule}: {self.value!r} is not a utilization")
        if (self.state is Condition.RESOLVED) != (self.resolved_at is not None):
            raise InvalidReading(f"alert {self.rule}: {self.state}, resolved {self.resolved_at}")

    @property
    def record_id(self) -> str:
        """Resource ids are the same whatever their case."""
        digest = hashlib.sha256(self.alert_id.strip().lower().encode()).hexdigest()
        return f"alert:{digest[:32]}"

    @property
    def happened_at(self) -> float:
        """When the event happened that led to this state."""
        return self.fired_at if self.resolved_at is None else self.resolved_at

    def is_active(self, *, now: float) -> bool:
        return self.state is Condition.FIRED and now < self.expires_at

    def reading(self) -> Reading | None:
        """A brake until it expires; None once resolved. An alert without a utilization means
        that the deployment is full."""
        if self.state is Condition.RESOLVED:
            return None
        return Reading(
            deployment=self.deployment,
            kind=ReadingKind.ALERT,
            value=1.0 if self.value is None else self.value,
            source=f"alert {self.rule}",
            observed_at=self.observed_at,
            until=self.expires_at,
        )

    def record(self, *, ttl_seconds: int) -> dict[str, Any]:
        """The document for `capacity`."""
        return {
            "id": self.record_id,
            "type": "alert",
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "state": self.state.value,
            "ttl": ttl_seconds,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises InvalidReading, also for a record that lacks a part."""
        try:
            parts: dict[str, Any] = {name: record[name] for name in _TEXTS}
            if not all(isinstance(text, str) for text in parts.values()):
                raise InvalidReading(f"alert: one of {', '.join(_TEXTS)} is not a text")
            parts |= {name: float(record[name]) for name in _TIMES}
            parts |= {
                name: None if record[name] is None else float(record[name])
                for name in _OPTIONAL_NUMBERS
            }
            return cls(**parts, state=Condition(record["state"]))
        except InvalidReading:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidReading(f"alert: {error}") from None


_TEXTS = ("deployment", "alert_id", "rule", "metric", "operator", "description")
_TIMES = ("fired_at", "observed_at", "expires_at")
_OPTIONAL_NUMBERS = ("threshold", "value", "resolved_at")


def merge(stored: Alert | None, delivered: Alert) -> Alert:
    """The alert after a delivery, whatever the order in which deliveries come.

    A resolution wins over the firing that it ends, a newer firing opens the alert again, and the
    same delivery once more changes nothing.
    """
    if stored is None or _order(delivered) > _order(stored):
        return delivered
    return stored


def _order(alert: Alert) -> tuple[float, bool]:
    """Of two events at one time the resolution is the later one: payloads exist that name the time
    of the resolution twice, as the time of the firing too."""
    return alert.happened_at, alert.state is Condition.RESOLVED


def brake(records: Iterable[Mapping[str, Any]], *, now: float) -> list[Reading]:
    """The readings of the alerts that brake at `now`, out of any records of `capacity`. A record
    that makes no sense is left out."""
    readings = []
    for record in records:
        if record.get("type") != "alert":
            continue
        try:
            alert = Alert.from_record(record)
        except InvalidReading:
            continue
        reading = alert.reading()
        if reading is not None and alert.is_active(now=now):
            readings.append(reading)
    return readings
