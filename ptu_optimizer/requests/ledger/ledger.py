"""Reading and writing a request's records within a budget, on a store that may not answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ptu_optimizer.clock import Clock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import Created, LedgerStore
from ptu_optimizer.retry import Backoff

from .annotations import DEFERRAL, Deferral
from .slots import Slot, is_slot


@dataclass(frozen=True, slots=True)
class RequestRecords:
    """All that is known of one request: its slots, and annotations that decide nothing."""

    slots: tuple[Slot, ...]
    annotations: tuple[JsonObject, ...]

    def slot(self, n: int) -> Slot | None:
        return next((slot for slot in self.slots if slot.n == n), None)

    @property
    def deferral(self) -> Deferral | None:
        """The annotation of its last copy."""
        found = next((a for a in self.annotations if a.get("type") == DEFERRAL), None)
        return None if found is None else Deferral.from_record(found)

    @classmethod
    def of(cls, records: list[JsonObject]) -> RequestRecords:
        return cls(
            slots=tuple(Slot.from_record(record) for record in records if is_slot(record)),
            annotations=tuple(record for record in records if not is_slot(record)),
        )


class Ledger:
    """Creates slots and reads them back; a write of unknown fate is retried under its token."""

    def __init__(self, *, store: LedgerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, slot: Slot, *, ends_at: float, until: float) -> Created:
        """Create a slot. Until `until` (monotonic), UNKNOWN is retried: the same record, the same
        token, so that a refusal by our own landed record is recognised by reading it back (2).
        """
        record = slot.record(ends_at=ends_at, now=self._clock.now())
        return await self.create_record(record, until=until)

    async def create_record(self, record: JsonObject, *, until: float) -> Created:
        """The same for a record that is already made."""
        backoff = Backoff(self._clock, until=until)
        while True:
            created = await self._store.create(record)
            if created is not Created.UNKNOWN or not await backoff.again():
                return created

    async def read(self, request_id: str, *, until: float | None = None) -> RequestRecords:
        """Raises DependencyUnavailable; with `until` (monotonic) it tries again before that."""
        backoff = Backoff(self._clock, until=-math.inf if until is None else until)
        while True:
            try:
                return RequestRecords.of(await self._store.read(request_id))
            except DependencyUnavailable:
                if not await backoff.again():
                    raise
