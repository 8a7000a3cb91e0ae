"""Where an outcome goes when it is large."""

from __future__ import annotations

import pytest

from local.virtual_time import VirtualClock, in_virtual_time
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.hubs import REQUESTS_LATER
from ptu_optimizer.ports.stores import Created
from ptu_optimizer.requests.dispatch.decoding import decode
from ptu_optimizer.requests.ids import IdMint
from ptu_optimizer.requests.ledger.ledger import Ledger
from ptu_optimizer.requests.ledger.outcomes import (
    LARGE_OUTCOME_BYTES,
    LARGEST_ITEM_BYTES,
    OutcomeWriter,
)
from ptu_optimizer.requests.ledger.result_event import ResultEvent
from ptu_optimizer.requests.ledger.slots import Slot, SlotKind
from ptu_optimizer.requests.ledger.timing import Timing
from tests.support.publishing import FakePublisher
from tests.support.stores import FakeBlobs, FakeRequests

TIMING = Timing(
    call_limit=300, write_budget=30, skew=30, hold=30, invocation_budget=120, turn_wait=6_600
)
REQUEST = IdMint(b"a key of this test").mint(created_at=1e9, ends_at=2e9, count=1).request_id(0)


class Scene:
    def __init__(self, *, blobs_away: bool = False) -> None:
        self.clock = VirtualClock()
        self.blobs = FakeBlobs(away=blobs_away)
        self.requests = FakeRequests()
        self.writer = OutcomeWriter(
            ledger=Ledger(store=self.requests, clock=self.clock),
            blobs=self.blobs,
            publisher=FakePublisher(),
            clock=self.clock,
            timing=TIMING,
        )

    async def write(self, size: int) -> dict[str, object]:
        """Write an outcome whose response has about `size` bytes; the record as stored."""
        outcome = Slot(
            request_id=REQUEST,
            n=2,
            kind=SlotKind.SUCCEEDED,
            claim_token="ours",
            at=self.clock.now(),
            details={"response": {"text": "x" * size}},
        )
        until = self.clock.monotonic() + TIMING.write_budget
        await self.writer.write(outcome, ends_at=self.clock.now() + 1e6, until=until)
        (record,) = self.requests.records.values()
        return record


@in_virtual_time
async def test_a_usual_response_is_in_its_record() -> None:
    scene = Scene()
    assert "response" in await scene.write(2_000)
    assert scene.blobs.blobs == {}


@in_virtual_time
async def test_a_large_response_goes_to_a_blob_of_its_claim() -> None:
    scene = Scene()
    record = await scene.write(LARGE_OUTCOME_BYTES + 1)
    assert "response" not in record
    assert list(scene.blobs.blobs) == [record["blob"]]
    assert str(record["blob"]).endswith("-ours.json")


@in_virtual_time
async def test_with_the_blobs_away_what_was_paid_for_is_written_inline() -> None:
    scene = Scene(blobs_away=True)
    assert "response" in await scene.write(LARGE_OUTCOME_BYTES + 1)


@in_virtual_time
async def test_what_no_record_can_hold_keeps_its_batch() -> None:
    scene = Scene(blobs_away=True)
    with pytest.raises(DependencyUnavailable):
        await scene.write(LARGEST_ITEM_BYTES + 1)


class RefusingRequests(FakeRequests):
    async def create(self, record: dict[str, object]) -> Created:
        raise DependencyUnavailable("Cosmos DB", "it refuses a write with status 403")


@in_virtual_time
async def test_with_the_store_refusing_us_what_was_paid_for_travels() -> None:
    scene = Scene()
    publisher = FakePublisher()
    writer = OutcomeWriter(
        ledger=Ledger(store=RefusingRequests(), clock=scene.clock),
        blobs=scene.blobs,
        publisher=publisher,
        clock=scene.clock,
        timing=TIMING,
    )
    outcome = Slot(
        request_id=REQUEST,
        n=2,
        kind=SlotKind.SUCCEEDED,
        claim_token="ours",
        at=scene.clock.now(),
        details={"response": {"text": "paid"}},
    )
    until = scene.clock.monotonic() + TIMING.write_budget
    await writer.write(outcome, ends_at=scene.clock.now() + 1e6, until=until)
    ((hub, (event,)),) = publisher.batches
    assert hub == REQUESTS_LATER
    travelling = decode(event.payload)
    assert isinstance(travelling, ResultEvent)
    assert travelling.record["response"] == {"text": "paid"}
