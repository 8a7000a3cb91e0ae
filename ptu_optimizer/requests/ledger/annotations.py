"""Annotations: records beside the slots that show the progress of a request, and decide nothing
(12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.ids import slice_of_request

DEFERRAL = "deferral"
"""What a document's `type` says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deferral:
    """The last copy of a request that was published for later. Times are epoch seconds."""

    request_id: str
    deferrals: int
    """How often it has been re-scheduled."""
    at: float
    not_before: float | None = None
    why: str | None = None
    hub: str | None = None
    deployment: str | None = None
    leaves_at: float | None = None
    """When it leaves for pay-as-you-go; None if it does not."""

    @classmethod
    def of(cls, copy: RequestEvent, *, hub: str, leaves_at: float | None, at: float) -> Deferral:
        return cls(
            request_id=copy.request_id,
            deferrals=copy.deferrals,
            at=at,
            not_before=copy.not_before,
            why=copy.why,
            hub=hub,
            deployment=copy.deployment,
            leaves_at=leaves_at,
        )

    def record(self, *, ends_at: float) -> JsonObject:
        """The document for `requests`; it lives until its group's end."""
        return {
            "id": f"{self.request_id}:deferral",
            "slice": slice_of_request(self.request_id),
            "request_id": self.request_id,
            "type": DEFERRAL,
            "deferrals": self.deferrals,
            "at": self.at,
            "not_before": self.not_before,
            "why": self.why,
            "hub": self.hub,
            "deployment": self.deployment,
            "leaves_at": self.leaves_at,
            "ttl": max(1, int(ends_at - self.at)),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Deferral:
        """A field that is missing has its default: no annotation stops what reads it."""
        return cls(
            request_id=record["request_id"],
            deferrals=record.get("deferrals", 0),
            at=record.get("at", 0.0),
            not_before=record.get("not_before"),
            why=record.get("why"),
            hub=record.get("hub"),
            deployment=record.get("deployment"),
            leaves_at=record.get("leaves_at"),
        )
