"""Work that went into a deployment's bucket, by short windows of time: what a belief is made of.

A process publishes its own sends so, and the interactive gateway's usage events are aggregated to
the same. Pure.
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
class Usage:
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


KEPT_WINDOWS = 20
"""A window is published once, when it is over; a few more are kept than are ever open."""


class UsageLog:
    """Our own calls, window by window, for those who must subtract them."""

    def __init__(self) -> None:
        self._windows: dict[float, UsageWindow] = {}
        self._published: set[float] = set()

    def sent(self, *, now: float, work: float) -> None:
        self._add(now, reserved=work, calls=1)

    def ended(
        self, *, now: float, reserved: float, used: float | None, refused: bool = False
    ) -> None:
        """`used`: what the call cost, 0 if it never ran, None if nobody knows."""
        cost = reserved if used is None else used
        self._add(now, corrected=cost - reserved, used=cost, refused=int(refused))

    def usage(self, *, deployment: str, source: str, now: float, ours: bool) -> Usage | None:
        """The windows that are over and may be news; None if there are none.

        What happens is booked in the window of its moment, so a window that is over never changes:
        each is published once, in a record of its own that lives for a minute.
        """
        closed = [start for start in self._windows if start < window_start(now)]
        fresh = [start for start in closed if start not in self._published]
        if not fresh:
            return None
        self._published.update(fresh)
        self._published &= self._windows.keys()
        return Usage(
            deployment=deployment,
            record_id=f"usage:{source}:{int(fresh[0] / WINDOW_SECONDS)}",
            source=source,
            ours=ours,
            windows=tuple(self._windows[start] for start in fresh),
        )

    def _add(
        self,
        now: float,
        *,
        reserved: float = 0.0,
        corrected: float = 0.0,
        used: float = 0.0,
        calls: int = 0,
        refused: int = 0,
    ) -> None:
        start = window_start(now)
        known = self._windows.get(start) or UsageWindow(start=start)
        self._windows[start] = UsageWindow(
            start=start,
            reserved=known.reserved + reserved,
            corrected=known.corrected + corrected,
            used=known.used + used,
            calls=known.calls + calls,
            refused=known.refused + refused,
        )
        if len(self._windows) > 2 * KEPT_WINDOWS:
            newest = sorted(self._windows)[-KEPT_WINDOWS:]
            self._windows = {start: self._windows[start] for start in newest}


SILENT_SECONDS = 60.0
"""A process that says nothing for so long has no calls under way, or has died with them."""

REMEMBERED_WINDOWS = 512


class CallsElsewhere:
    """What calls under way have reserved that other processes sent: starts less ends."""

    def __init__(self) -> None:
        self._reserved: dict[str, tuple[float, float]] = {}
        """By source: the work, and when it was heard of last."""
        self._counted: dict[tuple[str, float], None] = {}

    def count(self, usage: Usage, *, now: float) -> None:
        """Windows of another process; one that comes again is counted once."""
        work, _ = self._reserved.get(usage.source, (0.0, now))
        for window in usage.windows:
            key = (usage.record_id, window.start)
            if key not in self._counted:
                self._counted[key] = None
                # what ended had reserved what it used less its correction
                work += window.reserved - (window.used - window.corrected)
        self._reserved[usage.source] = (max(0.0, work), now)
        if len(self._counted) > REMEMBERED_WINDOWS:
            newest = list(self._counted)[-REMEMBERED_WINDOWS // 2 :]
            self._counted = dict.fromkeys(newest)

    def reserved(self, *, now: float) -> float:
        """Work, input-equivalent tokens."""
        for source in [s for s, (_, at) in self._reserved.items() if now - at > SILENT_SECONDS]:
            del self._reserved[source]
        return sum(work for work, _ in self._reserved.values())
