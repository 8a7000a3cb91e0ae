"""What holds us back beside the level: fired alerts, and harm that the metric counts. Pure."""

from __future__ import annotations

from .alert import Alert
from .metric import Minute
from .reading import Reading

HARM_SHARE = 0.002
"""Interactive calls refused in a minute, of all of its calls, from which we step back. Without us
none would be refused: a minute of many refusals is not the time to fill anything."""

STEP_BACK = 0.6
STEP_FORTH = 0.15
LEAST_FACTOR = 0.1
AFTER_REFUSAL = 0.5


class Brakes:
    """Fired alerts, by their rule and firing."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}

    def put(self, alert: Alert) -> None:
        known = self._alerts.get(alert.record_id)
        if known is not None and known.happened_at > alert.happened_at:
            return
        self._alerts[alert.record_id] = alert

    def active(
        self, *, now: float, known_until: float, others: float, limit: float
    ) -> Reading | None:
        """An alert that stops us, or None.

        An alert on the utilization is a reading of its metric at its time. Something newer and
        better outlives it. Where the load may be our own, it stops us only if the others' load is
        above the lower limit.
        """
        if not self._alerts:
            return None
        for record_id, alert in list(self._alerts.items()):
            if now >= alert.expires_at:
                del self._alerts[record_id]
                continue
            reading = alert.reading()
            if reading is None or known_until > reading.observed_at:
                continue
            if alert.value is not None and others <= limit:
                continue
            return reading
        return None


class HarmBrake:
    """A factor on the rate by minutes: refusals, others' or ours, lower it, and quiet mends it."""

    def __init__(self) -> None:
        self.factor = 1.0

    def refused(self) -> None:
        """One of our own calls was refused."""
        self.factor = min(self.factor, AFTER_REFUSAL)

    def minute(self, minute: Minute, *, ours: int) -> None:
        """A minute of the metric; `ours` of its refused calls were calls of the queue."""
        if minute.refused is None:
            self.factor = min(1.0, self.factor + STEP_FORTH)
            return
        harm = max(0, minute.refused - ours)
        calls = (minute.accepted or 0) + minute.refused
        if calls and harm / calls > HARM_SHARE:
            self.factor = max(LEAST_FACTOR, self.factor * STEP_BACK)
        else:
            self.factor = min(1.0, self.factor + STEP_FORTH)
