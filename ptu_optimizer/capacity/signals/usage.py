"""Work that went into a deployment's bucket, by short time windows.

A process publishes its own sends in this form, and the usage events of interactive gateways are
aggregated to it. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .reading import InvalidReading

WINDOW_SECONDS = 0.5
"""Short against the seconds that a bucket holds, long against the number of calls."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageWindow:
    """What calls did to the bucket in the window that begins at `start` (epoch seconds).

    Work in input-equivalent tokens. Windows lie on multiples of WINDOW_SECONDS.
    """

    start: float
    reserved: float = 0.0
    """Added at the start of calls: prompt − cached + ratio × max_tokens."""
    corrected: float = 0.0
    """Actual minus reserved of the calls that ended: mostly negative."""
    used: float = 0.0
    """Actual work of the calls that ended."""
    calls: int = 0
    """Calls that started and were accepted."""
    refused: int = 0
    """Calls that were answered 429."""

    @property
    def net(self) -> float:
        return self.reserved + self.corrected

    def __post_init__(self) -> None:
        for value in (self.start, self.reserved, self.corrected, self.used):
            if not math.isfinite(value):
                raise InvalidReading(f"a usage window with {value!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageWindows:
    """Some windows of one source. A window that comes again replaces the one before."""

    deployment: str
    record_id: str
    """`usage:{source}…`; windows are told apart by it and their start."""
    source: str
    ours: bool
    """Whether these are calls of the queue; else interactive ones."""
    windows: tuple[UsageWindow, ...]

    def record(self, *, ttl_seconds: int) -> dict[str, Any]:
        """The document for `capacity`."""
        return {
            "id": self.record_id,
            "deployment": self.deployment,
            "type": "usage",
            "source": self.source,
            "ours": self.ours,
            "windows": [
                [w.start, w.reserved, w.corrected, w.used, w.calls, w.refused] for w in self.windows
            ],
            "ttl": ttl_seconds,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises InvalidReading, also for a record that lacks a part."""
        try:
            return cls(
                deployment=record["deployment"],
                record_id=record["id"],
                source=record["source"],
                ours=bool(record["ours"]),
                windows=tuple(
                    UsageWindow(
                        start=float(start),
                        reserved=float(reserved),
                        corrected=float(corrected),
                        used=float(used),
                        calls=int(calls),
                        refused=int(refused),
                    )
                    for start, reserved, corrected, used, calls, refused in record["windows"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidReading(str(error)) from None


def window_start(at: float) -> float:
    """The start of the window that `at` lies in."""
    return math.floor(at / WINDOW_SECONDS) * WINDOW_SECONDS
