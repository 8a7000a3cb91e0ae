"""Which signals are believed, and which of them a belief rests on. Pure.

The newest of each kind and source is kept, so that `GET /capacity` can show each with its age
and its weight.
"""

from __future__ import annotations

import math

from ptu_optimizer.capacity.estimate.belief import Basis, Provenance
from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.usage import WINDOW_SECONDS, UsageWindows

FUTURE_TOLERANCE_SECONDS = 5.0
"""Clocks differ a little. A reading from further in the future is refused: it would be believed
for too long."""

HIGHEST_LEVEL = 10.0
"""1,000 %. A burst takes a level above 100 %, but never this far: a higher value means
something else, such as a percentage that was read as a share."""

MOST_SOURCES = 64

_TELL_LEVEL = (ReadingKind.LEVEL.value, ReadingKind.THROTTLED.value, "usage", "minute")
_RESTS_ON = {ReadingKind.LEVEL.value: Basis.HEADER, "usage": Basis.EVENTS, "minute": Basis.METRIC}


class SignalLog:
    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], Provenance] = {}

    def take(self, reading: Reading, *, now: float) -> bool:
        """Whether a reading is believed. It is not if it is older than the last of its source,
        from the future, or larger than any level can be."""
        if reading.observed_at > now + FUTURE_TOLERANCE_SECONDS:
            return False
        if reading.kind is ReadingKind.LEVEL and reading.value > HIGHEST_LEVEL:
            return False
        known = self._newest.get((reading.kind.value, reading.source))
        if known is not None and known.observed_at >= reading.observed_at:
            return False
        self._keep(reading.kind.value, reading.source, reading.value, reading.observed_at)
        return True

    def take_minute(self, minute: Minute, *, now: float) -> bool:
        """Whether a minute is believed. It is not if it is not over yet."""
        if minute.ends_at > now + FUTURE_TOLERANCE_SECONDS:
            return False
        known = self._newest.get(("minute", "azure monitor"))
        if known is None or known.observed_at <= minute.ends_at:
            self._keep("minute", "azure monitor", minute.utilization, minute.ends_at)
        return True

    def usage(self, usage: UsageWindows, now: float) -> None:
        if usage.windows:
            newest = max(usage.windows, key=lambda window: window.start)
            at = min(now, newest.start + WINDOW_SECONDS)
            self._keep("sends" if usage.ours else "usage", usage.source, None, at)

    def alert(self, alert: Alert) -> None:
        self._keep(ReadingKind.ALERT.value, alert.rule, alert.value, alert.observed_at)

    def newest(self) -> float:
        """The time of the newest signal that shows how full the deployment was; -inf if there
        was none. Our own sends do not show it, nor does an alert, which may be about another
        metric."""
        times = (one.observed_at for one in self._newest.values() if one.kind in _TELL_LEVEL)
        return max(times, default=-math.inf)

    def provenance(self, basis: Basis, *, since: float = -math.inf) -> tuple[Provenance, ...]:
        """The newest of each kind and source, newest first. Signals that the belief rests on
        weigh 1: those of its basis that are not older than `since`."""
        newest = sorted(self._newest.values(), key=lambda one: one.observed_at, reverse=True)
        return tuple(
            Provenance(
                kind=one.kind,
                source=one.source,
                value=one.value,
                observed_at=one.observed_at,
                weight=float(_RESTS_ON.get(one.kind) is basis and one.observed_at >= since),
            )
            for one in newest
        )

    def _keep(self, kind: str, source: str, value: float | None, at: float) -> None:
        self._newest[kind, source] = Provenance(
            kind=kind, source=source, value=value, observed_at=at, weight=0.0
        )
        if len(self._newest) > MOST_SOURCES:
            oldest = min(self._newest, key=lambda key: self._newest[key].observed_at)
            del self._newest[oldest]
