"""Which minutes of the metric need a write: new ones, and those that late points changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.ports.monitor import Monitor

MINUTE_TTL_SECONDS = 900
"""How long a minute stays in `capacity`: longer than the ten minutes in which it may change."""

_FIGURES = tuple(
    field.name for field in fields(Minute) if field.name not in ("deployment", "ends_at")
)


class MetricMinutes:
    """Remembers which minutes it has given out, so that none is written again and again. The
    memory is the process's own: another process, or this one after a restart, gives out once
    more what Azure Monitor still reports. If the write of a minute fails, this is not noticed:
    that minute is missing, and the next one is not.
    """

    def __init__(self, *, monitor: Monitor) -> None:
        self._monitor = monitor
        self._known: dict[tuple[str, float], Minute] = {}

    async def fresh(self) -> list[Minute]:
        """Minutes that are new or changed since the last time. Raises DependencyUnavailable."""
        return self._take(await self._monitor.minutes())

    def _take(self, minutes: Iterable[Minute]) -> list[Minute]:
        changed = []
        for told in minutes:
            key = (told.deployment, told.ends_at)
            known = self._known.get(key)
            minute = told if known is None else _mended(known, told)
            if minute != known:
                self._known[key] = minute
                changed.append(minute)
        self._forget()
        return changed

    def _forget(self) -> None:
        newest = max((ends_at for _, ends_at in self._known), default=0.0)
        for key in [key for key in self._known if key[1] < newest - MINUTE_TTL_SECONDS]:
            del self._known[key]


def _mended(known: Minute, told: Minute) -> Minute:
    """The new figures, and the known ones where a figure is missing now: one failed read of a
    metric takes nothing back."""
    figures = {name: getattr(told, name) for name in _FIGURES}
    return replace(known, **{name: value for name, value in figures.items() if value is not None})
