"""What holds us back beside the level: fired alerts, and harm that the metric counts. Pure."""

from __future__ import annotations

from ptu_optimizer.capacity.signals.alert import Alert, merge
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import Reading
from ptu_optimizer.capacity.signals.usage import UsageWindows

HARM_SHARE = 0.002
"""Interactive calls refused in a minute, of all of its calls, from which we step back. Without us
none would be refused: a minute of many refusals is not the time to fill anything."""

STEP_BACK = 0.6
STEP_FORTH = 0.15
LEAST_FACTOR = 0.1
"""A minute with harm takes two fifths off the rate, a quiet one gives 15 % of the whole back: three
quiet ones mend a harmful one. A tenth of the rate is enough to see that it has become quiet."""

AFTER_REFUSAL = 0.5
"""A refusal of our own is seen at once, and tells of the same as a minute's would."""

JUDGED_MINUTES_KEPT = 16
"""The metric is read ten minutes back, again and again."""


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
    """When others were refused last, and a factor on the rate by minutes: refusals, others' or
    ours, lower it, and quiet mends it."""

    def __init__(self) -> None:
        self.factor = 1.0
        self.others_refused_at = 0.0
        """Epoch seconds, by usage events or the metric; 0 if never."""
        self._judged: dict[int, bool] = {}
        """By minute, whether it had harm: one that comes again, mended, counts once."""

    def refused(self) -> None:
        """One of our own calls was refused."""
        self.factor = min(self.factor, AFTER_REFUSAL)

    def others_refused(self, *, at: float) -> None:
        """Others were refused at `at`; told again, it is the same harm."""
        self.others_refused_at = max(self.others_refused_at, at)

    def usage(self, usage: UsageWindows, *, now: float) -> None:
        """Windows of interactive calls; those of a clock that is ahead are of now."""
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
    """Where nobody counts refusals there is none to see: else one 429 would brake for ever."""
    if minute.refused is None:
        return False
    harm = max(0, minute.refused - ours)
    calls = (minute.accepted or 0) + minute.refused
    return calls > 0 and harm / calls > HARM_SHARE
