"""What really happened at a deployment: the truth that tests compare with. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields

from local.ptu.calls import Traffic

__all__ = ["CallCounters", "TrafficCounters"]


@dataclass(slots=True)
class TrafficCounters:
    """Calls of one traffic class at one deployment."""

    served: int = 0
    """Calls finished with 200 and billed, whether or not the client was still there."""
    refused: int = 0
    """Calls this deployment could not take (429), those that then spilled over included."""
    spilled_over: int = 0
    """The refused (or failed) ones that another deployment served instead."""
    failed: int = 0
    """Calls answered with another error, or dropped before they were served."""
    abandoned: int = 0
    """The served ones whose client had gone."""
    in_flight: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    work: float = 0.0
    """Work served: Σ (prompt − cached) + ratio · output, in input-equivalent tokens."""

    def add(self, other: TrafficCounters) -> None:
        """Add the figures of another deployment."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def as_dict(self) -> dict[str, int | float]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


class CallCounters:
    """Counts by traffic class, and how often each request id was served."""

    __slots__ = ("batch", "interactive", "times_served")

    def __init__(self) -> None:
        self.interactive = TrafficCounters()
        self.batch = TrafficCounters()
        self.times_served: Counter[str] = Counter()

    def of(self, traffic: Traffic) -> TrafficCounters:
        return self.interactive if traffic is Traffic.INTERACTIVE else self.batch

    @property
    def surplus(self) -> int:
        """Calls served for request ids beyond the first of each: paid for twice."""
        return self.times_served.total() - len(self.times_served)

    def repeated(self) -> dict[str, int]:
        """Request ids served more than once, with how often."""
        return {name: times for name, times in self.times_served.items() if times > 1}

    @classmethod
    def sum(cls, parts: Iterable[CallCounters]) -> CallCounters:
        """The figures of several deployments together: ids served by two of them count twice."""
        total = cls()
        for part in parts:
            total.interactive.add(part.interactive)
            total.batch.add(part.batch)
            total.times_served.update(part.times_served)
        return total

    def as_dict(self) -> dict[str, object]:
        """The figures as plain JSON types."""
        both = TrafficCounters()
        both.add(self.interactive)
        both.add(self.batch)
        return {
            **both.as_dict(),
            "requests_served": len(self.times_served),
            "requests_served_more_than_once": len(self.repeated()),
            "surplus": self.surplus,
            "traffic": {
                Traffic.INTERACTIVE.value: self.interactive.as_dict(),
                Traffic.BATCH.value: self.batch.as_dict(),
            },
        }
