"""A belief from records alone, for when no process dispatches: the signals are replayed to a
fresh controller. Pure.

Each signal is replayed at the time that it describes, in whatever order the records were read.
Usage is replayed at the time when it was written, because its delay says up to when it is
complete. What was learned, and fired alerts, have no such time and come first.
"""

from __future__ import annotations

from collections.abc import Iterable

from ptu_optimizer.capacity.control.controller import Controller
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import Reading
from ptu_optimizer.capacity.signals.signal import Signal
from ptu_optimizer.capacity.signals.usage import WINDOW_SECONDS, UsageWindows
from ptu_optimizer.coordination.records import Recorded

HEAD_START_SECONDS = 10.0
"""By how much the controller's clock starts before the first signal. A signal at the very start
could not be compared with anything."""


def replay(controller: Controller, records: Iterable[Recorded], *, now: float) -> None:
    """Replay `records` to a fresh controller, up to `now`."""
    timeless: list[Signal] = []
    timed: list[tuple[float, Signal]] = []
    for record in records:
        at = _shown_at(record)
        if at is None:
            timeless.append(record.signal)
        else:
            timed.append((min(at, now), record.signal))
    timed.sort(key=lambda one: one[0])
    begin = (timed[0][0] if timed else now) - HEAD_START_SECONDS
    controller.tick(now=begin)
    for signal in timeless:
        controller.observe(signal, now=begin)
    for at, signal in timed:
        controller.observe(signal, now=at)
    controller.tick(now=now)


def _shown_at(record: Recorded) -> float | None:
    match record.signal:
        case Reading(observed_at=at) | Minute(ends_at=at):
            return at
        case UsageWindows(windows=windows) if windows:
            newest = max(window.start for window in windows) + WINDOW_SECONDS
            return newest if record.written_at is None else max(newest, record.written_at)
        case _:
            return None
