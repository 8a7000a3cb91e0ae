"""The calls that other processes of this app have under way. Pure."""

from __future__ import annotations

from ptu_optimizer.capacity.signals.usage import UsageWindows

SILENT_SECONDS = 60.0
"""A process that published nothing for this long has no calls under way, or has died with them."""


REMEMBERED_WINDOWS = 512


class CallsElsewhere:
    """The work that calls of other processes have reserved: what started less what ended."""

    def __init__(self) -> None:
        self._reserved: dict[str, tuple[float, float]] = {}
        """By source: the work, and when its last record came."""
        self._counted: dict[tuple[str, float], None] = {}

    def count(self, usage: UsageWindows, *, now: float) -> None:
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
