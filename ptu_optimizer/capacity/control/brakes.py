"""What slows us down beside the level: fired alerts, and harm that the metric counts. Pure."""

from __future__ import annotations

from ptu_optimizer.capacity.signals.alert import Alert, merge
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import Reading
from ptu_optimizer.capacity.signals.usage import UsageWindows

HARM_SHARE = 0.002
"""If a larger share of a minute's calls are interactive calls that were refused, the rate is
lowered. Even if they are not our fault: in such a minute there is nothing to fill."""

STEP_BACK = 0.6
STEP_FORTH = 0.15
LEAST_FACTOR = 0.1
"""A minute with refused interactive calls multiplies the rate by 0.6; each minute without adds
0.15, so three make up for one. The floor of 0.1 keeps enough traffic to notice recovery."""

AFTER_REFUSAL = 0.5
"""The factor after a refusal of our own call. It is known at once, and means the same as a
refusal in a minute of the metric."""

JUDGED_MINUTES_KEPT = 16
"""The metric is read ten minutes back each time."""


class Brakes:
    """Fired alerts, by their rule and firing."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}

    def put(self, alert: Alert) -> None:
        """Deliveries come at least once and in any order."""
        self._alerts[alert.record_id] = merge(self._alerts.get(alert.record_id), alert)

    def active(
        self, *, now: float, known_until: float, others: float, limit: float
    ) -> Reading | None:
        """An alert that stops us, or None.

        An alert on the utilization is a reading of its metric at its time. It no longer counts
        when something newer and better is known. If the load may be our own, it stops us only
        while the interactive load is above the lower limit.
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
    """When interactive calls were refused last, and a factor on the rate by minutes. Refusals
    lower the factor, interactive ones and our own; minutes without refusals raise it."""

    def __init__(self) -> None:
        self.factor = 1.0
        self.others_refused_at = 0.0
        """Epoch seconds, by usage events or the metric; 0 if never."""
        self._judged: dict[int, bool] = {}
        """By minute, whether it had harm. A minute that comes again with other values counts
        once."""

    def refused(self) -> None:
        """One of our own calls was refused."""
        self.factor = min(self.factor, AFTER_REFUSAL)

    def others_refused(self, *, at: float) -> None:
        """Interactive calls were refused at `at`. A second report of it is the same harm."""
        self.others_refused_at = max(self.others_refused_at, at)

    def usage(self, usage: UsageWindows, *, now: float) -> None:
        """Windows of interactive calls. A time in the future, from a clock that is ahead,
        counts as now."""
        if not usage.ours:
            refused = max((w.start for w in usage.windows if w.refused), default=0.0)
            self.others_refused(at=min(now, refused))

    def minute(self, minute: Minute, *, ours: int) -> None:
        """A minute of the metric; `ours` of its refused calls were calls of the queue."""
        known = self._judged.get(minute.number)
        harmful = _is_harmful(minute, ours=ours)
        if harmful:
            self.others_refused(at=minute.ends_at)
        if harmful and not known:
            self.factor = max(LEAST_FACTOR, self.factor * STEP_BACK)
        elif known is None:
            self.factor = min(1.0, self.factor + STEP_FORTH)
        self._judged[minute.number] = harmful or bool(known)
        if len(self._judged) > JUDGED_MINUTES_KEPT:
            del self._judged[min(self._judged)]


def _is_harmful(minute: Minute, *, ours: int) -> bool:
    """Without a count of refusals there is no harm to see; otherwise one 429 would brake
    without end."""
    if minute.refused is None:
        return False
    harm = max(0, minute.refused - ours)
    calls = (minute.accepted or 0) + minute.refused
    return calls > 0 and harm / calls > HARM_SHARE
