"""One observation of a deployment: value, kind, source, observed_at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Kind(StrEnum):
    LEVEL = "level"
    """How full the bucket is, from the header of a response."""
    UTILIZATION = "utilization"
    """The one-minute metric, of which it is not documented whether it means level or load."""
    THROTTLED = "throttled"
    """A 429: full, and closed until `until`."""


class InvalidReading(ValueError):
    """Not a number, negative, or from the future: never believed, never turned into 0 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """`value` is a float, 1.0 is 100 % (a level may exceed it); times are epoch seconds."""

    deployment: str
    kind: Kind
    value: float
    source: str
    observed_at: float
    until: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value) or self.value < 0:
            raise InvalidReading(f"{self.source}: {self.value!r} is no utilization")
        if not math.isfinite(self.observed_at):
            raise InvalidReading(f"{self.source}: {self.observed_at!r} is no time")
        if self.until is not None and not math.isfinite(self.until):
            # a gate that closed until then would never open again
            raise InvalidReading(f"{self.source}: {self.until!r} is no time")

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
            "until": self.until,
            "ttl": ttl_seconds,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Raises InvalidReading, also for a record that lacks a part."""
        try:
            return cls(
                deployment=record["deployment"],
                kind=Kind(record["kind"]),
                value=float(record["value"]),
                source=record["source"],
                observed_at=float(record["observed_at"]),
                until=None if record.get("until") is None else float(record["until"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidReading(str(error)) from None
