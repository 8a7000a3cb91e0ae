"""From the id that a caller sends to a request and its records."""

from __future__ import annotations

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import AppError, DependencyUnavailable, dependency_unavailable
from ptu_optimizer.ports.stores import GroupStore
from ptu_optimizer.requests.id_keys import Ids
from ptu_optimizer.requests.ids import ForgedId, RequestId, claimed_group
from ptu_optimizer.requests.ledger.ledger import Ledger, RequestRecords

OPERATOR = None
"""In the place of a tenant: a caller who may see the requests of every tenant."""


class RequestLookup:
    def __init__(self, *, ids: Ids, groups: GroupStore, ledger: Ledger, clock: Clock) -> None:
        self._ids = ids
        self._groups = groups
        self._ledger = ledger
        self._clock = clock

    async def request(self, request_id: str, *, tenant: str | None = OPERATOR) -> RequestId:
        """The request with this id, if this tenant may see it. Raises AppError."""
        try:
            request = await self._genuine(request_id, tenant)
        except ForgedId:
            raise AppError(
                "There is no such request: the id was not issued by this app.",
                status=404,
                param="request_id",
                code="request_not_found",
            ) from None
        except DependencyUnavailable as error:
            raise dependency_unavailable(error) from None
        if self._clock.now() >= request.group.ends_at:
            raise AppError(
                "This request has ended and its records are gone.", status=410, code="request_gone"
            )
        return request

    async def records(self, request: RequestId) -> RequestRecords:
        """Raises AppError."""
        try:
            return await self._ledger.read(request.text)
        except DependencyUnavailable as error:
            raise dependency_unavailable(error) from None

    async def _genuine(self, request_id: str, tenant: str | None) -> RequestId:
        try:
            return await self._ids.request(request_id, tenant=tenant or "")
        except ForgedId:
            if tenant is not OPERATOR:
                raise
        # perhaps the id of a tenant, which its group record names. Only operators cause this
        # read
        group = claimed_group(request_id)
        record = await self._groups.read(group.bucket, group.text)
        if record is None:
            raise ForgedId(request_id)
        return await self._ids.request(request_id, tenant=str(record.get("tenant", "")))
