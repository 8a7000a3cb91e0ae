"""The records of one deployment in `capacity`, sorted by what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import InvalidReading, Reading
from ptu_optimizer.capacity.signals.signal import Signal
from ptu_optimizer.capacity.signals.usage import UsageWindows
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.telemetry import logger

from .belief_report import BeliefReport
from .send_lease import LEASE_SECONDS, SendLease

_log = logger("capacity")

_SIGNALS: Mapping[str, Callable[[JsonObject], Signal]] = {
    "reading": Reading.from_record,
    "minute": Minute.from_record,
    "usage": UsageWindows.from_record,
    "alert": Alert.from_record,
    "learned": Learned.from_record,
}
"""What a controller can take in, by the `type` of its record."""

NONSENSE = (InvalidReading, KeyError, TypeError, ValueError)
"""What is raised by a record that is damaged, or of another version."""


def signal_of(record: JsonObject) -> Signal | None:
    """What the record says to a controller; None if it is of another kind. Raises NONSENSE."""
    read = _SIGNALS.get(str(record.get("type")))
    return None if read is None else read(record)


STORE_CLOCK_SECONDS = 2.0
"""The store's times are whole seconds, and its clock is not ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldLease:
    """A lease as it is in the store."""

    lease: SendLease
    written_at: float | None
    """By the store's clock, if it says so."""

    def is_held(self, *, now: float) -> bool:
        """Whether its holder has renewed it in time, as far as two clocks allow to say."""
        age = 0.0 if self.written_at is None else now - self.written_at
        return bool(self.lease.holder) and age <= LEASE_SECONDS + STORE_CLOCK_SECONDS


class CapacityRecords:
    """A record that makes no sense is left out: it is of another version and expires by itself."""

    def __init__(self) -> None:
        self.reports: list[BeliefReport] = []
        self.leases: list[HeldLease] = []
        self.alerts: list[Alert] = []
        self.learned: Learned | None = None
        self.signals: list[Recorded] = []
        """Everything that a controller can take in, alerts and learned values included."""

    def take(self, record: JsonObject) -> None:
        try:
            self._take(record)
        except NONSENSE as error:
            _log.warning(
                "a record of capacity makes no sense",
                extra={"id": record.get("id"), "reason": str(error)},
            )

    def told(self, *, now: float) -> list[BeliefReport]:
        """The reports of the processes that are dispatching."""
        return [one for one in self.reports if one.is_fresh(now=now)]

    def _take(self, record: JsonObject) -> None:
        written_at = None if record.get("_ts") is None else float(record["_ts"])
        match record["type"]:
            case "belief":
                self.reports.append(BeliefReport.from_record(record))
                return
            case "lease":
                lease = SendLease.from_record(record)
                self.leases.append(HeldLease(lease=lease, written_at=written_at))
                return
        signal = signal_of(record)
        match signal:
            case None:
                return
            case Alert():
                self.alerts.append(signal)
            case Learned():
                self.learned = signal
        self.signals.append(Recorded(signal, written_at))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A signal out of a record."""

    signal: Signal
    written_at: float | None
    """By the store's clock, if it says so; epoch seconds, often whole ones."""
