"""What a caller sees of a request, and its cancellation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import AppError, DependencyUnavailable, unavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS_LATER
from ptu_optimizer.ports.stores import BlobStore, Created
from ptu_optimizer.requests.id_keys import Ids
from ptu_optimizer.requests.ids import ForgedId, RequestId
from ptu_optimizer.requests.ledger.ledger import Ledger, RequestRecords
from ptu_optimizer.requests.ledger.rules import may_end
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind, State, fold, head, new_token
from ptu_optimizer.requests.ledger.timing import Timing

from .flow_reports import place_of
from .projection import Projections, WaitingRequest
from .wait_reason import reason

FIRST_RETRY_SECONDS = 0.2


class RequestStatus:
    def __init__(
        self,
        *,
        ids: Ids,
        ledger: Ledger,
        blobs: BlobStore,
        projections: Projections,
        clock: Clock,
        timing: Timing,
    ) -> None:
        self._ids = ids
        self._ledger = ledger
        self._blobs = blobs
        self._projections = projections
        self._clock = clock
        self._timing = timing

    async def show(self, request_id: str) -> JsonObject:
        """State, times, attempts, why it waits, and its outcome. Raises AppError."""
        request = await self._genuine(request_id)
        records = await self._records(request)
        return await self._view(request, records)

    async def cancel(self, request_id: str) -> JsonObject:
        """Cancel if it can be cancelled, else say what happened instead. Raises AppError."""
        request = await self._genuine(request_id)
        until = self._clock.monotonic() + self._timing.write_budget
        token = new_token()
        pause = FIRST_RETRY_SECONDS
        while True:
            records = await self._records(request)
            n = may_end(
                records.slots,
                now=self._clock.now(),
                skew=self._timing.skew,
                cancelling=True,
            )
            if n is None:
                return await self._already(request, records, token)
            top = head(records.slots)
            cancelled = Slot(
                request_id=request.text,
                n=n,
                kind=SlotKind.CANCELLED,
                claim_token=token,
                at=self._clock.now(),
                failures=top.failures if top is not None else 0,
                details={"error": _CANCELLED},
            )
            try:
                created = await self._ledger.create(
                    cancelled, ends_at=request.group.ends_at, until=until
                )
            except DependencyUnavailable as error:
                raise _away(error) from None
            if created is Created.CREATED:
                view = await self._view(request, await self._records(request))
                under_way = top is not None and top.kind is SlotKind.ATTEMPT
                view["detail"] = (
                    "Cancelled. A call was under way: its answer, if one comes, is dropped."
                    if under_way
                    else "Cancelled before it was dispatched."
                )
                return view
            # 8: refused by a record that may not be visible yet, or of unknown fate: look again
            if self._clock.monotonic() + pause >= until:
                raise unavailable(
                    "Whether this request can still be cancelled is not known yet. Try again.",
                    code="cancel_unknown",
                )
            await self._clock.sleep(pause)
            pause *= 2

    async def _already(self, request: RequestId, records: RequestRecords, token: str) -> JsonObject:
        view = await self._view(request, records)
        top = head(records.slots)
        if top is not None and top.kind is SlotKind.CANCELLED:
            ours = top.claim_token == token
            view["detail"] = "Cancelled." if ours else "It was cancelled before."
            return view
        raise AppError(
            f"This request cannot be cancelled: it has {view['state']} "
            f"(at {view['ended_at']}). Read it with GET /response/{request.text}.",
            status=409,
            code=f"already_{view['state']}",
        )

    async def _genuine(self, request_id: str) -> RequestId:
        try:
            request = await self._ids.request(request_id)
        except ForgedId:
            raise AppError(
                "There is no such request: the id was not issued by this app.",
                status=404,
                param="request_id",
                code="request_not_found",
            ) from None
        except DependencyUnavailable as error:
            raise _away(error) from None
        if self._clock.now() >= request.group.ends_at:
            raise AppError(
                "This request has ended and its records are gone.", status=410, code="request_gone"
            )
        return request

    async def _records(self, request: RequestId) -> RequestRecords:
        try:
            return await self._ledger.read(request.text)
        except DependencyUnavailable as error:
            raise _away(error) from None

    async def _view(self, request: RequestId, records: RequestRecords) -> JsonObject:
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
            "created_at": _time(request.group.created_at),
            "ended_at": _time(top.at) if top is not None and ended else None,
            "records_until": _time(request.group.ends_at),
            "deployment": labels.get("deployment"),
            "spilled_over": labels.get("spilled_over", False),
            "spilled_over_why": labels.get("spilled_over_why"),
            "attempts": folded.attempts,
            "failures": folded.failures,
            "deferrals": deferral["deferrals"] if deferral else 0,
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
        self, request: RequestId, top: Slot | None, deferral: JsonObject | None, labels: JsonObject
    ) -> JsonObject:
        """Why it waits, and how long it probably will."""
        why, not_before = reason(top, deferral)
        last = deferral or {}
        known = WaitingRequest(
            place=place_of(request.group, request.text),
            deployment=last.get("deployment", labels.get("deployment")),
            hub=last.get("hub", None if top is None else REQUESTS_LATER),
            not_before=not_before,
        )
        projection = await self._projections.of(known)
        seconds = projection.seconds
        start = None if seconds is None else self._clock.now() + seconds
        return {
            "why": why,
            "not_before": None if not_before is None else _time(not_before),
            "leaves_at": None if last.get("leaves_at") is None else _time(last["leaves_at"]),
            "projected_seconds": None if seconds is None else round(seconds, 1),
            "projected_start": None if start is None else _time(start),
            "projection": projection.text,
        }

    async def _response(self, top: Slot) -> Any:
        if "blob" not in top.details:
            return top.details.get("response")
        try:
            raw = await self._blobs.read(top.details["blob"])
        except DependencyUnavailable as error:
            raise _away(error) from None
        if raw is None:
            raise AppError(
                "The response of this request was stored and is gone from its blob.",
                status=500,
                kind="server_error",
                code="response_missing",
            )
        return orjson.loads(raw)


_CANCELLED = {
    "message": "The request was cancelled.",
    "type": "cancelled_error",
    "param": None,
    "code": "cancelled",
}


def _away(error: DependencyUnavailable) -> AppError:
    return unavailable(
        f"{error.service} cannot be reached. Try again.", code="dependency_unavailable"
    )


def _labels(records: RequestRecords) -> JsonObject:
    """What the latest slot that says it says: custom_id, metadata, deployment, spillover."""
    labels: JsonObject = {}
    for slot in sorted(records.slots, key=lambda s: s.n):
        for name in ("custom_id", "metadata", "deployment", "spilled_over", "spilled_over_why"):
            if slot.details.get(name) is not None:
                labels[name] = slot.details[name]
    return labels


def _entry(slot: Slot) -> JsonObject:
    entry: JsonObject = {"slot": slot.n, "kind": slot.kind.value, "at": _time(slot.at)}
    if slot.kind is SlotKind.ATTEMPT:
        entry["lease_until"] = _time(slot.lease_until)
        entry["deployment"] = slot.details.get("deployment")
    if slot.kind is SlotKind.RELEASED:
        entry["why"] = slot.details.get("why")
        entry["not_before"] = _time(slot.not_before)
    return entry


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
