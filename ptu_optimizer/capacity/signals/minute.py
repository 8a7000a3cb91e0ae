"""One minute of a deployment as Azure Monitor reports it. Pure.

Azure Monitor gives one-minute points, one to three minutes late. A part that has no point is None:
it is missing, which is not zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from ptu_optimizer.capacity.work import Model

from .reading import InvalidReading

MINUTE_SECONDS = 60.0


def minute_number(at: float) -> int:
    """The number of the minute that `at` lies in: whole minutes since the epoch."""
    return math.floor(at / MINUTE_SECONDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Minute:
    """All traffic of one deployment in the minute that ended at `ends_at` (epoch seconds).

    Utilizations are floats, 1.0 is 100 %; whether they mean level or load is not documented.
    Ours and everybody's calls are in it.
    """

    deployment: str
    ends_at: float
    utilization: float | None = None
    """The minute's average."""
    utilization_min: float | None = None
    utilization_max: float | None = None
    accepted: int | None = None
    """Calls answered with 200."""
    refused: int | None = None
    """Calls answered with 429: harm done, except for ours among them."""
    spilled: int | None = None
    """Calls that Azure served from a pay-as-you-go deployment instead."""
    prompt_tokens: float | None = None
    cached_tokens: float | None = None
    generated_tokens: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.ends_at):
            raise InvalidReading(f"azure monitor: {self.ends_at!r} is not a time")
        for name in _FIGURES:
            value = getattr(self, name)
            if value is not None and (not math.isfinite(value) or value < 0):
                raise InvalidReading(f"azure monitor: {name} of {value!r}")

    @property
    def number(self) -> int:
        """Whole minutes since the epoch, of its start."""
        return minute_number(self.ends_at - MINUTE_SECONDS)

    def work(self, model: Model) -> float | None:
        """Work of the calls that ended in the minute, input-equivalent tokens; None if unknown."""
        if self.prompt_tokens is None or self.generated_tokens is None:
            return None
        return model.work(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens or 0.0,
            output_tokens=self.generated_tokens,
        )

    def record(self, *, ttl_seconds: int) -> dict[str, Any]:
        """The document for `capacity`: one for each minute, so that a point that comes late
        replaces it."""
        return {
            "id": f"minute:{int(self.ends_at)}",
            "deployment": self.deployment,
            "type": "minute",
            "ends_at": self.ends_at,
            **{name: getattr(self, name) for name in _FIGURES},
            "ttl": ttl_seconds,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises InvalidReading, also for a record that lacks a part."""
        try:
            return cls(
                deployment=record["deployment"],
                ends_at=float(record["ends_at"]),
                **{name: record.get(name) for name in _FIGURES},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidReading(str(error)) from None


_FIGURES = (
    "utilization",
    "utilization_min",
    "utilization_max",
    "accepted",
    "refused",
    "spilled",
    "prompt_tokens",
    "cached_tokens",
    "generated_tokens",
)


class Meaning(StrEnum):
    UNKNOWN = "unknown"
    LEVEL = "level"
    LOAD = "load"
