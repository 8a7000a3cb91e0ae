"""What a controller has learned, as the next sending process takes it over. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Self

from .minute import Meaning
from .reading import InvalidReading


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What a controller has learned and no setting says."""

    deployment: str
    source: str
    at: float
    drain: float
    """The true drain of the deployment, over the drain of the settings."""
    event_gain: float
    """All interactive work, over what usage events report of it."""
    used_share: float
    """The part of our reservations (`max_tokens`) that is really used."""
    usual_load: float
    """The others' load, over minutes."""
    metric_meaning: str
    """Whether the utilization metric is a level or a load: a `metric_meaning.Meaning`."""
    header_at_admission: bool
    """Whether the utilization header describes the moment when its call was admitted."""
    own_minutes: tuple[tuple[int, float], ...] = ()
    """What all of our calls used in the last minutes: number of the minute (epoch seconds / 60)
    and seconds of drain. To be subtracted from the metric, which reports them minutes later."""
    depth_seconds: float | None = None
    """How many seconds of drain fill the bucket; None if that is not known."""
    depth_evidence: tuple[float, ...] = ()
    """What `depth_seconds` was computed from: `BucketDepth.evidence`."""
    level: float = 0.0
    """Seconds of drain that the bucket is believed to hold at `at`."""
    events_until: float = 0.0
    """The time of the newest usage event, epoch seconds; 0 if events are not believed."""
    burst_evidence: tuple[float, ...] = ()
    """How the interactive load varies, from usage events: `Spread.evidence`."""
    others_refused_at: float = 0.0
    """When others were refused last, by usage events or the metric, epoch seconds; 0 if never."""
    learned_of: str = ""
    """The deployment, resource, model and size for which this holds; empty in the records of
    older versions."""
    own_refused: tuple[tuple[int, float], ...] = ()
    """How many of all of our calls were answered 429, by minute as in `own_minutes`."""

    def __post_init__(self) -> None:
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        numbers |= {f"cost of minute {number}": cost for number, cost in self.own_minutes}
        numbers |= {f"429s of minute {number}": count for number, count in self.own_refused}
        if self.depth_seconds is not None:
            numbers["depth_seconds"] = self.depth_seconds
        for name, value in numbers.items():
            if not math.isfinite(value) or value < 0:
                raise InvalidReading(f"learned {name}: {value!r}")
        if not all(map(math.isfinite, (*self.depth_evidence, *self.burst_evidence))):
            raise InvalidReading("learned from evidence that is not a number")
        if self.metric_meaning not in _MEANINGS:
            raise InvalidReading(f"learned metric_meaning: {self.metric_meaning!r}")

    def record(self, *, record_id: str, ttl_seconds: int) -> dict[str, Any]:
        """The document for `capacity`."""
        return {"id": record_id, "type": "learned", **asdict(self), "ttl": ttl_seconds}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises InvalidReading, also for a record that lacks a part."""
        try:
            # a version before this one may have written it, without what is new
            values = {
                one.name: record[one.name]
                for one in fields(cls)
                if one.default is MISSING or one.name in record
            }
            for name in values.keys() & {"own_minutes", "own_refused"}:
                values[name] = tuple((int(number), float(of)) for number, of in values[name])
            for name in values.keys() & {"depth_evidence", "burst_evidence"}:
                values[name] = tuple(map(float, values[name]))
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidReading(str(error)) from None


_MEANINGS = frozenset(meaning.value for meaning in Meaning)


_NUMBERS = (
    *("at", "drain", "event_gain", "used_share", "usual_load"),
    *("level", "events_until", "others_refused_at"),
)
