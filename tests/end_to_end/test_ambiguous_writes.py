"""Writes whose answer is lost, refused or late, one by one: the whole app on real SDKs, with faults
that only a server in this process can be told to have. The servers' counters are the truth."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import orjson
import pytest

from local.cosmos.faults import Operation
from ptu_optimizer.ports.hubs import REQUESTS_LATER
from tests.end_to_end.clients import chat
from tests.end_to_end.in_process import Bench, bench

MANY = 10_000
LOST = [
    pytest.param(503, id="503"),
    pytest.param(408, id="408"),
    pytest.param(None, id="connection lost"),
]


@pytest.fixture
async def system(storage: str) -> AsyncIterator[Bench]:
    async with bench(storage) as made:
        yield made


def writes_of_slot(n: int) -> object:
    def concerns(operation: Operation) -> bool:
        return operation.is_write and any(each.endswith(f":{n}") for each in operation.ids)

    return concerns


# --- what a request costs -------------------------------------------------------------------------


async def test_the_usual_path_is_two_creates_a_request_and_no_read(system: Bench) -> None:
    events = system.batch(50)
    report = await system.deliver(system.worker(), [event.encode() for event in events])
    counters = system.cosmos.counters.of("ptu/requests")
    assert counters["creates"] == 2 * 50
    assert (counters["reads"], counters["queries"], counters["upserts"]) == (0, 0, 0)
    assert counters["batches"] < 50, "creates that meet on their way leave together"
    assert system.paid == (50, 0)
    assert (report.annotations, report.dead_letters, len(report.positions)) == ([], [], 1)
    assert await system.outcomes([event.request_id for event in events]) == ["succeeded"] * 50


# --- intake ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", LOST)
async def test_a_group_whose_write_was_not_acknowledged_is_promised_and_published(
    system: Bench, status: int | None
) -> None:
    system.cosmos.faults.lose_answers(status=status)
    accepted = await system.worker().intake.accept(orjson.dumps(chat("lost answer")))
    assert (len(accepted.request_ids), accepted.sent) == (1, 1)
    assert await system.published_count("requests") == 1


@pytest.mark.parametrize("status", LOST)
async def test_a_key_whose_write_was_not_acknowledged_is_this_calls_own(
    system: Bench, status: int | None
) -> None:
    intake = system.worker().intake
    raw = orjson.dumps([chat("lost key")])
    system.cosmos.faults.lose_answers(2, status=status)  # the key's and the group's
    first = await intake.accept(raw, idempotency_key="a key")
    again = await intake.accept(raw, idempotency_key="a key")
    assert first.request_ids == again.request_ids
    assert await system.published_count("requests") == 1


# --- claims and outcomes --------------------------------------------------------------------------


@pytest.mark.parametrize("status", LOST)
@pytest.mark.parametrize("n", [1, 2], ids=["claim", "outcome"])
async def test_a_slot_whose_write_was_not_acknowledged_is_recognised_by_its_token(
    system: Bench, n: int, status: int | None
) -> None:
    events = system.batch(5)
    ids = [event.request_id for event in events]
    system.cosmos.faults.lose_answers(status=status, where=writes_of_slot(n))  # type: ignore[arg-type]
    report = await system.deliver(system.worker(), [event.encode() for event in events])
    assert await system.outcomes(ids) == ["succeeded"] * 5
    assert system.paid == (5, 0)
    assert report.annotations == [], "neither deferred nor taken for a duplicate"


async def test_a_throttled_store_slows_down_and_loses_nothing(system: Bench) -> None:
    events = system.batch(20)
    system.cosmos.faults.throttle(6, retry_after_ms=20)
    await system.deliver(system.worker(), [event.encode() for event in events])
    assert await system.outcomes([event.request_id for event in events]) == ["succeeded"] * 20
    assert system.paid == (20, 0)


async def test_an_outcome_that_the_store_cannot_take_travels_and_is_never_paid_again(
    system: Bench,
) -> None:
    worker = system.worker()
    # the level is known from here on, so that all claims leave before any outcome: creates that
    # meet on their way share a batch, and would share its fault
    await system.deliver(worker, [event.encode() for event in system.batch(1)])
    events = system.batch(3)
    ids = [event.request_id for event in events]
    system.cosmos.faults.fail_writes(MANY, where=writes_of_slot(2))  # type: ignore[arg-type]
    await system.deliver(worker, [event.encode() for event in events])
    assert await system.outcomes(ids) == []
    assert system.paid == (4, 0)
    payloads = await system.published(REQUESTS_LATER, 3)
    assert {orjson.loads(payload)["kind"] for payload in payloads} == {"result"}
    system.cosmos.faults.clear()
    other = system.worker()
    report = await system.deliver(other, payloads, hub=REQUESTS_LATER)
    assert await system.outcomes(ids) == ["succeeded"] * 3
    again = await system.deliver(other, payloads, hub=REQUESTS_LATER)
    assert (report.annotations, again.annotations) == ([], []), "its own outcome is no duplicate"
    assert system.paid == (4, 0)


# --- several workers ------------------------------------------------------------------------------


async def test_a_batch_that_is_delivered_twice_at_once_is_paid_for_once(system: Bench) -> None:
    events = system.batch(30)
    ids = [event.request_id for event in events]
    payloads = [event.encode() for event in events]
    await asyncio.gather(
        *(system.deliver(system.worker(), payloads) for _ in range(2)),
    )
    assert system.paid == (30, 0)
    assert await system.outcomes(ids) == ["succeeded"] * 30


async def test_a_batch_that_is_delivered_again_later_does_nothing(system: Bench) -> None:
    events = system.batch(10)
    payloads = [event.encode() for event in events]
    await system.deliver(system.worker(), payloads)
    before = system.cosmos.counters.of("ptu/requests")["creates"]
    report = await system.deliver(system.worker(), payloads)
    assert system.paid == (10, 0)
    assert report.annotations == []
    conflicts = system.cosmos.counters.of("ptu/requests")["conflicts"]
    assert conflicts >= 10
    assert len(await system.records([event.request_id for event in events])) == 20
    assert system.cosmos.counters.of("ptu/requests")["creates"] > before


# --- cancelling -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", LOST)
async def test_a_cancel_whose_write_was_not_acknowledged_knows_its_own(
    system: Bench, status: int | None
) -> None:
    (event,) = system.batch(1)
    system.cosmos.faults.lose_answers(status=status)
    view = await system.worker().cancellation.cancel(event.request_id)
    assert (view["state"], view["detail"]) == ("cancelled", "Cancelled.")
    await system.deliver(system.worker(), [event.encode()])
    assert system.paid == (0, 0)
    assert await system.outcomes([event.request_id]) == ["cancelled"]


async def test_of_many_cancels_and_a_dispatch_exactly_one_decides(system: Bench) -> None:
    events = system.batch(10)
    ids = [event.request_id for event in events]
    cancellation = system.worker().cancellation
    results = await asyncio.gather(
        system.deliver(system.worker(), [event.encode() for event in events]),
        *(cancellation.cancel(request_id) for request_id in ids for _ in range(3)),
        return_exceptions=True,
    )
    assert not isinstance(results[0], BaseException), results[0]
    outcomes = Counter(await system.outcomes(ids))
    assert outcomes.total() == 10
    assert set(outcomes) <= {"succeeded", "cancelled"}
    assert system.paid[1] == 0
