"""Cancelling a request: one more slot, if it has no outcome yet (docs/ledger.md, rule 8)."""

from __future__ import annotations

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import (
    AppError,
    DependencyUnavailable,
    dependency_unavailable,
    unavailable,
)
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import Created
from ptu_optimizer.requests.ids import RequestId
from ptu_optimizer.requests.ledger.ledger import Ledger, RequestRecords
from ptu_optimizer.requests.ledger.rules import may_end
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind, head, new_token
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.retry import Backoff

from .lookup import OPERATOR, RequestLookup
from .status import RequestStatus

_CANCELLED = {
    "message": "The request was cancelled.",
    "type": "cancelled_error",
    "param": None,
    "code": "cancelled",
}


class Cancellation:
    def __init__(
        self,
        *,
        lookup: RequestLookup,
        status: RequestStatus,
        ledger: Ledger,
        clock: Clock,
        timing: Timing,
    ) -> None:
        """`status` shows what has become of the request."""
        self._lookup = lookup
        self._status = status
        self._ledger = ledger
        self._clock = clock
        self._timing = timing

    async def cancel(self, request_id: str, *, tenant: str | None = OPERATOR) -> JsonObject:
        """Cancel if it can be cancelled, else say what happened instead. Raises AppError."""
        request = await self._lookup.request(request_id, tenant=tenant)
        until = self._clock.monotonic() + self._timing.write_budget
        token = new_token()
        backoff = Backoff(self._clock, until=until)
        while True:
            records = await self._lookup.records(request)
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
                raise dependency_unavailable(error) from None
            if created is Created.CREATED:
                view = await self._status.view(request, await self._lookup.records(request))
                under_way = top is not None and top.kind is SlotKind.ATTEMPT
                view["detail"] = (
                    "Cancelled. A call was under way: its answer, if one comes, is dropped."
                    if under_way
                    else "Cancelled before it was dispatched."
                )
                return view
            # 8: refused by a record that may not be visible yet, or of unknown fate: look again
            if not await backoff.again():
                raise unavailable(
                    "Whether this request can still be cancelled is not known yet. Try again.",
                    code="cancel_unknown",
                )

    async def _already(self, request: RequestId, records: RequestRecords, token: str) -> JsonObject:
        view = await self._status.view(request, records)
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
