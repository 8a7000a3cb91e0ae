"""What a dispatching process publishes of a deployment: its belief, and its verdict for the
next call of each hub. Pure.

An HTTP request reaches another process than the one that sends, so the sending process writes a
small record.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.estimate.belief import Belief, Provenance
from ptu_optimizer.capacity.signals.reading import InvalidReading

REPORT_FRESH_SECONDS = 15.0
"""A dispatching process publishes every three seconds. After this long without a report, it was
lost or does nothing. Some reports may be late, and its lease is free after ten seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HubReport:
    """The verdict for the next call of one hub."""

    hub: str
    verdict: Verdict
    waiting: int
    """Requests of the hub that wait at this process's gate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BeliefReport:
    """The record `belief:{worker}` of a deployment. Times are epoch seconds."""

    deployment: str
    worker: str
    at: float
    belief: Belief
    in_flight: int
    """Calls of this process that are under way."""
    hubs: tuple[HubReport, ...]
    dispatching: bool
    """False: it has just stopped, and this is its last report."""

    def is_fresh(self, *, now: float) -> bool:
        """Whether its process is dispatching at `now`."""
        return self.dispatching and now - self.at <= REPORT_FRESH_SECONDS

    def hub(self, name: str) -> HubReport | None:
        return next((one for one in self.hubs if one.hub == name), None)

    def record(self, *, ttl_seconds: int) -> dict[str, Any]:
        """The document for `capacity`. JSON knows no infinity: an unknown age is None."""
        belief = self.belief
        return {
            "id": f"belief:{self.worker}",
            "deployment": self.deployment,
            "type": "belief",
            "worker": self.worker,
            "at": self.at,
            "dispatching": self.dispatching,
            "in_flight": self.in_flight,
            "level": belief.value,
            "others": belief.others,
            "basis": belief.source,
            "age": belief.age if math.isfinite(belief.age) else None,
            "fresh": belief.fresh,
            "provenance": [asdict(one) for one in belief.provenance],
            "hubs": [_hub_record(one) for one in self.hubs],
            "ttl": ttl_seconds,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises InvalidReading, also for a record that lacks a part."""
        try:
            return cls(
                deployment=record["deployment"],
                worker=record["worker"],
                at=_number(record["at"]),
                belief=_belief(record),
                in_flight=int(record["in_flight"]),
                hubs=tuple(map(_hub, record["hubs"])),
                dispatching=bool(record["dispatching"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidReading(f"a published belief: {error}") from None


def _hub_record(one: HubReport) -> dict[str, Any]:
    verdict = one.verdict
    waits = isinstance(verdict, Wait)
    return {
        "hub": one.hub,
        "waiting": one.waiting,
        "admit": not waits,
        "why": verdict.why,
        "closed": isinstance(verdict, Wait) and verdict.blocked,
        "retry_at": _finite(verdict.retry_at) if isinstance(verdict, Wait) else None,
    }


def _hub(record: Mapping[str, Any]) -> HubReport:
    verdict: Verdict
    if record["admit"]:
        verdict = Admit(str(record["why"]))
    else:
        verdict = Wait(
            str(record["why"]),
            blocked=bool(record["closed"]),
            retry_at=_optional(record["retry_at"]),
        )
    return HubReport(hub=str(record["hub"]), verdict=verdict, waiting=int(record["waiting"]))


def _belief(record: Mapping[str, Any]) -> Belief:
    age = _optional(record["age"])
    return Belief(
        value=_optional(record["level"]),
        source=str(record["basis"]),
        age=math.inf if age is None else age,
        fresh=bool(record["fresh"]),
        others=_optional(record["others"]),
        provenance=tuple(
            Provenance(
                kind=str(one["kind"]),
                source=str(one["source"]),
                value=_optional(one["value"]),
                observed_at=_number(one["observed_at"]),
                weight=_number(one["weight"]),
            )
            for one in record["provenance"]
        ),
    )


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a number")
    return number


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
