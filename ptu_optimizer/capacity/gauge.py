"""The gauge: the belief made of readings, with its age and its provenance. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .reading import Kind, Reading

FUTURE_TOLERANCE_SECONDS = 5.0
"""Clocks differ a little; a reading from further ahead is refused rather than believed for long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Belief:
    """What we hold true now. `value` is None when there has never been a reading."""

    value: float | None
    source: str
    age: float
    fresh: bool


class Gauge:
    """Keeps the newest reading of each kind, and makes one belief of them."""

    def __init__(self, *, live_ttl_seconds: float, metric_ttl_seconds: float) -> None:
        """How long a reading is worth acting on, by kind.

        The metric describes a minute that ended one to three minutes ago; a header the
        moment it was sent.
        """
        self._ttl = {
            Kind.LEVEL: live_ttl_seconds,
            Kind.UTILIZATION: metric_ttl_seconds,
        }
        self._newest: dict[Kind, Reading] = {}

    def observe(self, reading: Reading, *, now: float) -> bool:
        """Take a reading in; False if it is older than what is known, or from the future."""
        if reading.observed_at > now + FUTURE_TOLERANCE_SECONDS:
            return False
        known = self._newest.get(reading.kind)
        if known is not None and known.observed_at >= reading.observed_at:
            return False
        self._newest[reading.kind] = reading
        return True

    def newest(self) -> Reading | None:
        """The newest reading of all."""
        return max(self._newest.values(), key=lambda reading: reading.observed_at, default=None)

    def belief(self, *, now: float) -> Belief:
        """A fresh live reading wins over the metric, however late that came in.

        A 429 says when the deployment is below 100 % again, not how full it is then: until a newer
        reading comes, nothing older is believed either.
        """
        throttled = self._newest.get(Kind.THROTTLED)
        last_refusal = throttled.observed_at if throttled is not None else float("-inf")
        for kind in (Kind.LEVEL, Kind.UTILIZATION):
            reading = self._newest.get(kind)
            if (
                reading is not None
                and reading.observed_at > last_refusal
                and now - reading.observed_at <= self._ttl[kind]
            ):
                return self._as_belief(reading, now, fresh=True)
        newest = self.newest()
        if newest is None:
            return Belief(value=None, source="none", age=float("inf"), fresh=False)
        return self._as_belief(newest, now, fresh=False)

    @staticmethod
    def _as_belief(reading: Reading, now: float, *, fresh: bool) -> Belief:
        return Belief(
            value=reading.value,
            source=reading.source,
            age=max(0.0, now - reading.observed_at),
            fresh=fresh,
        )

    def closed_until(self) -> float:
        """The time until which the newest 429 says that the deployment is full; 0 if none."""
        throttled = self._newest.get(Kind.THROTTLED)
        return throttled.until or 0.0 if throttled is not None else 0.0
