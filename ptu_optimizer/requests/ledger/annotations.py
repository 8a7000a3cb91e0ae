"""Annotations: records beside the slots that tell how a request fares, and decide nothing."""

from __future__ import annotations

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.ids import slice_of_request


def deferral(
    copy: RequestEvent, *, hub: str, leaves_at: float | None, at: float, ends_at: float
) -> JsonObject:
    """The annotation of a copy, for `requests`: told, never decided upon (12)."""
    return {
        "id": f"{copy.request_id}:deferral",
        "slice": slice_of_request(copy.request_id),
        "request_id": copy.request_id,
        "type": "deferral",
        "deferrals": copy.deferrals,
        "at": at,
        "not_before": copy.not_before,
        "why": copy.why,
        "hub": hub,
        "deployment": copy.deployment,
        "leaves_at": leaves_at,
        "ttl": max(1, int(ends_at - at)),
    }
