"""A request with given records in stores in memory, looked at and cancelled."""

from typing import Any

import pytest

from local.virtual_time import EPOCH, VirtualClock
from ptu_optimizer.errors import AppError
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.id_keys import FixedIds, RotatingIds
from ptu_optimizer.requests.ids import IdMint, slice_of_request
from ptu_optimizer.requests.ledger.ledger import Ledger
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.status.cancel import Cancellation
from ptu_optimizer.requests.status.lookup import RequestLookup
from ptu_optimizer.requests.status.projection import Projections
from ptu_optimizer.requests.status.status import RequestStatus
from tests.support.id_keys import OLD, FakeVault
from tests.support.stores import FakeBlobs, FakeCapacity, FakeGroups, FakeRequests

TIMING = Timing(
    call_limit=300, write_budget=30, skew=30, hold=30, invocation_budget=120, turn_wait=6_600
)
MINT = IdMint(OLD)
GROUP = MINT.mint(created_at=EPOCH - 60, ends_at=EPOCH + 86_400, count=2)
REQUEST = GROUP.request_id(1)
RESPONSE = {"choices": [{"message": {"role": "assistant", "content": "Rayleigh."}}]}


def slot(
    n: int, kind: SlotKind, *, at: float = EPOCH, token: str = "theirs", **fields: Any
) -> Slot:
    details = fields.pop("details", {})
    return Slot(
        request_id=REQUEST, n=n, kind=kind, claim_token=token, at=at, details=details, **fields
    )


def attempt(n: int, *, lease_until: float = EPOCH + 360, **fields: Any) -> Slot:
    details = {"deployment": "ptu", "custom_id": "row-1", "metadata": {"a": "b"}}
    return slot(n, SlotKind.ATTEMPT, lease_until=lease_until, details=details, **fields)


def released(n: int, *, why: str = "429", not_before: float = EPOCH + 5, **fields: Any) -> Slot:
    return slot(n, SlotKind.RELEASED, not_before=not_before, details={"why": why}, **fields)


def succeeded(n: int, **details: Any) -> Slot:
    details = details or {"response": RESPONSE}
    return slot(n, SlotKind.SUCCEEDED, at=EPOCH + 2, details={"custom_id": "row-1", **details})


def deferral(*, why: str = "closed", at: float = EPOCH, deferrals: int = 3) -> JsonObject:
    return {
        "id": f"{REQUEST}:deferral",
        "slice": slice_of_request(REQUEST),
        "request_id": REQUEST,
        "type": "deferral",
        "deferrals": deferrals,
        "at": at,
        "not_before": EPOCH + 30,
        "why": why,
    }


class Scene:
    def __init__(
        self,
        *records: Slot | JsonObject,
        store: FakeRequests | None = None,
        vault: FakeVault | None = None,
    ) -> None:
        """`vault`: where the keys are, if not in a setting."""
        self.store = store or FakeRequests()
        self.groups = FakeGroups()
        self.blobs = FakeBlobs()
        self.capacity = FakeCapacity()
        self.clock = VirtualClock()
        self.put(*records)
        ledger = Ledger(store=self.store, clock=self.clock)
        lookup = RequestLookup(
            ids=RotatingIds(reader=vault, clock=self.clock) if vault else FixedIds(MINT),
            groups=self.groups,
            ledger=ledger,
            clock=self.clock,
        )
        self.status = RequestStatus(
            lookup=lookup,
            blobs=self.blobs,
            projections=Projections(
                store=self.capacity, deployments=["ptu", "other"], clock=self.clock
            ),
            clock=self.clock,
            timing=TIMING,
        )
        self.cancellation = Cancellation(
            lookup=lookup, status=self.status, ledger=ledger, clock=self.clock, timing=TIMING
        )

    def put(self, *records: Slot | JsonObject) -> None:
        for one in records:
            record = one.record(ends_at=GROUP.ends_at, now=EPOCH) if isinstance(one, Slot) else one
            self.store.put(record)

    async def show(self, request_id: str = REQUEST) -> JsonObject:
        return await self.status.show(request_id)

    async def cancel(self) -> JsonObject:
        return await self.cancellation.cancel(REQUEST)


async def error_of(awaitable: Any) -> AppError:
    with pytest.raises(AppError) as raised:
        await awaitable
    return raised.value
