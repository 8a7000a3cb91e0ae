"""One observation of a deployment: value, kind, source, observed_at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class ReadingKind(StrEnum):
    LEVEL = "level"
    """How full the bucket is, from the header of a response. `span` is how long that call took:
    whether the service takes the value at the call's admission or its end is not documented."""
    THROTTLED = "throttled"
    """A 429: full, and closed until `until`."""
    ALERT = "alert"
    """A fired alert of Azure Monitor: a brake until `until`, or until it is resolved."""


class InvalidReading(ValueError):
    """Not a number, negative, or from the future: never believed, never turned into 0 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """`value` is a float, 1.0 is 100 % (a level may exceed it); times are epoch seconds."""

    deployment: str
    kind: ReadingKind
    value: float
    source: str
    observed_at: float
    span: float = 0.0
    """The seconds before `observed_at` that the value may speak of; 0 for a single moment."""
    until: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value) or self.value < 0:
            raise InvalidReading(f"{self.source}: {self.value!r} is not a utilization")
        if not math.isfinite(self.observed_at):
            raise InvalidReading(f"{self.source}: {self.observed_at!r} is not a time")
        if not math.isfinite(self.span) or self.span < 0:
            raise InvalidReading(f"{self.source}: {self.span!r} is not a time span")
        if self.until is not None and not math.isfinite(self.until):
            # a gate that closed until then would never open again
            raise InvalidReading(f"{self.source}: {self.until!r} is not a time")

    def record(self, *, record_id: str, ttl_seconds: int) -> dict[str, Any]:
        """The document for `capacity`."""
        return {
            "id": record_id,
            "deployment": self.deployment,
            "type": "reading",
            "kind": self.kind.value,
            "value": self.value,
            "source": self.source,
            "observed_at": self.observed_at,
            "span": self.span,
            "until": self.until,
            "ttl": ttl_seconds,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Raises InvalidReading, also for a record that lacks a part."""
        try:
            return cls(
                deployment=record["deployment"],
                kind=ReadingKind(record["kind"]),
                value=float(record["value"]),
                source=record["source"],
                observed_at=float(record["observed_at"]),
                span=float(record.get("span") or 0.0),
                until=None if record.get("until") is None else float(record["until"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidReading(str(error)) from None
