"""What a caller sees of a request: its state, why it waits, its history and its outcome."""

from __future__ import annotations

from typing import Any

import orjson

from ptu_optimizer.clock import Clock, iso_time
from ptu_optimizer.errors import AppError, DependencyUnavailable, dependency_unavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS_LATER
from ptu_optimizer.ports.stores import BlobStore
from ptu_optimizer.requests.ids import RequestId
from ptu_optimizer.requests.ledger.annotations import Deferral
from ptu_optimizer.requests.ledger.ledger import RequestRecords
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind, State, fold
from ptu_optimizer.requests.ledger.timing import Timing

from .flow_reports import place_of
from .lookup import OPERATOR, RequestLookup
from .projection import Projections, WaitingRequest
from .wait_reason import reason


class RequestStatus:
    def __init__(
        self,
        *,
        lookup: RequestLookup,
        blobs: BlobStore,
        projections: Projections,
        clock: Clock,
        timing: Timing,
    ) -> None:
        self._lookup = lookup
        self._blobs = blobs
        self._projections = projections
        self._clock = clock
        self._timing = timing

    async def show(self, request_id: str, *, tenant: str | None = OPERATOR) -> JsonObject:
        """State, times, attempts, why it waits, and its outcome. Raises AppError."""
        request = await self._lookup.request(request_id, tenant=tenant)
        return await self.view(request, await self._lookup.records(request))

    async def view(self, request: RequestId, records: RequestRecords) -> JsonObject:
        """The same of records that have been read. Raises AppError."""
        deferral = records.deferral
        folded = fold(
            records.slots,
            deferred=deferral is not None,
            now=self._clock.now(),
            skew=self._timing.skew,
        )
        top = folded.top
        labels = _labels(records)
        ended = top is not None and top.kind.is_outcome
        view: JsonObject = {
            "object": "request",
            "request_id": request.text,
            "custom_id": labels.get("custom_id"),
            "metadata": labels.get("metadata"),
            "state": folded.state.value,
            "created_at": iso_time(request.group.created_at),
            "ended_at": iso_time(top.at) if top is not None and ended else None,
            "records_until": iso_time(request.group.ends_at),
            "deployment": labels.get("deployment"),
            "spilled_over": labels.get("spilled_over", False),
            "spilled_over_why": labels.get("spilled_over_why"),
            "attempts": folded.attempts,
            "failures": folded.failures,
            "deferrals": deferral.deferrals if deferral else 0,
            "duplicate_calls": sum(a.get("type") == "duplicate" for a in records.annotations),
            "waiting": None,
            "history": [_entry(slot) for slot in sorted(records.slots, key=lambda s: s.n)],
            "response": None,
            "error": None,
        }
        if top is not None and ended:
            view["response"] = await self._response(top)
            view["error"] = top.details.get("error")
        elif folded.state is not State.DISPATCHING:
            view["waiting"] = await self._waiting(request, top, deferral, labels)
        return view

    async def _waiting(
        self, request: RequestId, top: Slot | None, deferral: Deferral | None, labels: JsonObject
    ) -> JsonObject:
        """Why it waits, and how long it probably will."""
        why, not_before = reason(top, deferral)
        deployment, hub, leaves_at = labels.get("deployment"), None, None
        if deferral is not None:
            deployment, hub = deferral.deployment, deferral.hub
            leaves_at = deferral.leaves_at
        elif top is not None:
            hub = REQUESTS_LATER
        known = WaitingRequest(
            place=place_of(request.group, request.text),
            deployment=deployment,
            hub=hub,
            not_before=not_before,
        )
        projection = await self._projections.of(known)
        seconds = projection.seconds
        start = None if seconds is None else self._clock.now() + seconds
        return {
            "why": why,
            "not_before": None if not_before is None else iso_time(not_before),
            "leaves_at": None if leaves_at is None else iso_time(leaves_at),
            "projected_seconds": None if seconds is None else round(seconds, 1),
            "projected_start": None if start is None else iso_time(start),
            "projection": projection.text,
        }

    async def _response(self, top: Slot) -> Any:
        if "blob" not in top.details:
            return top.details.get("response")
        try:
            raw = await self._blobs.read(top.details["blob"])
        except DependencyUnavailable as error:
            raise dependency_unavailable(error) from None
        if raw is None:
            raise AppError(
                "The response of this request was stored and is gone from its blob.",
                status=500,
                kind="server_error",
                code="response_missing",
            )
        return orjson.loads(raw)


def _labels(records: RequestRecords) -> JsonObject:
    """What the latest slot that says it says: custom_id, metadata, deployment, spillover."""
    labels: JsonObject = {}
    for slot in sorted(records.slots, key=lambda s: s.n):
        for name in ("custom_id", "metadata", "deployment", "spilled_over", "spilled_over_why"):
            if slot.details.get(name) is not None:
                labels[name] = slot.details[name]
    return labels


def _entry(slot: Slot) -> JsonObject:
    entry: JsonObject = {"slot": slot.n, "kind": slot.kind.value, "at": iso_time(slot.at)}
    if slot.kind is SlotKind.ATTEMPT:
        entry["lease_until"] = iso_time(slot.lease_until)
        entry["deployment"] = slot.details.get("deployment")
    if slot.kind is SlotKind.RELEASED:
        entry["why"] = slot.details.get("why")
        entry["not_before"] = iso_time(slot.not_before)
    return entry
