"""What a dispatching process tells of how fast its requests come to their deployments."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS
from ptu_optimizer.requests.ids import GroupId, IdMint
from ptu_optimizer.requests.status.flow import Flow
from ptu_optimizer.requests.status.flow_reports import INTERVAL_SECONDS, FlowReports, place_of
from tests.support.stores import FakeCapacity


def group() -> GroupId:
    return IdMint(b"a key of this test").mint(created_at=EPOCH, ends_at=EPOCH + 900, count=30)


GROUP = group()


def reports(store: FakeCapacity) -> FlowReports:
    return FlowReports(store=store, clock=VirtualClock(), worker="me")


async def pass_one(flows: FlowReports, index: int, *, started: bool, seconds: float = 1.0) -> None:
    place = place_of(GROUP, GROUP.request_id(index))
    with flows.in_hand(deployment="ptu", hub=REQUESTS) as passing:
        await asyncio.sleep(seconds)
        passing.left(place, enqueued_at=EPOCH, started=started)
        # it comes again in the same handling: counted once
        passing.left(place, enqueued_at=EPOCH, started=not started)


def written(store: FakeCapacity) -> Flow:
    (record,) = store.records.values()
    return Flow.from_record(record)


def test_a_place_is_read_off_the_id() -> None:
    place = place_of(GROUP, GROUP.request_id(17))
    assert (place.group, place.index, place.count) == (GROUP.text, 17, 30)
    assert place.accepted_at == int(EPOCH)


@in_virtual_time
async def test_what_left_the_gate_is_told() -> None:
    store = FakeCapacity()
    flows = reports(store)
    await pass_one(flows, 0, started=True)
    await pass_one(flows, 1, started=False, seconds=3.0)
    await flows.tell()
    flow = written(store)
    assert (flow.hub, flow.worker, flow.at) == (REQUESTS, "me", EPOCH + 4)
    assert flow.rate == pytest.approx(0.5, rel=0.05)
    assert flow.chance == pytest.approx(0.5, abs=0.02)
    assert flow.round_seconds == pytest.approx(4.0, rel=0.05)
    assert [(each.group, each.left) for each in flow.groups] == [(GROUP.text, 2)]


@in_virtual_time
async def test_a_request_of_another_deployment_may_come_while_it_tells() -> None:
    class Slow(FakeCapacity):
        async def write(self, record: JsonObject) -> None:
            await asyncio.sleep(1)
            await super().write(record)

    store = Slow()
    flows = reports(store)
    await pass_one(flows, 0, started=True)
    telling = asyncio.create_task(flows.tell())
    await asyncio.sleep(0.5)
    with flows.in_hand(deployment="another", hub=REQUESTS):
        await telling
    assert store.writes == 1


@in_virtual_time
async def test_who_never_left_tells_nothing_and_is_in_hand_no_longer() -> None:
    store = FakeCapacity()
    flows = reports(store)
    with pytest.raises(RuntimeError), flows.in_hand(deployment="ptu", hub=REQUESTS):
        raise RuntimeError
    await flows.tell()
    assert store.writes == 0
    await pass_one(flows, 1, started=True)
    await asyncio.sleep(5)
    await flows.tell()
    assert written(store).idle


@in_virtual_time
async def test_while_it_works_it_tells_at_most_every_interval_and_only_what_is_new() -> None:
    store = FakeCapacity()
    flows = reports(store)
    async with flows.active(), flows.active():
        for index in range(10):
            await pass_one(flows, index, started=True)
        await asyncio.sleep(60)
    assert store.writes == math.ceil(10 / INTERVAL_SECONDS)
    await asyncio.sleep(60)
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    messages: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("ptu_optimizer"), Keep()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


@in_virtual_time
async def test_a_store_that_is_away_is_told_again_when_it_is_back(warnings: list[str]) -> None:
    store = FakeCapacity(away=True)
    flows = reports(store)
    async with flows.active():
        await pass_one(flows, 0, started=True)
        await asyncio.sleep(2 * INTERVAL_SECONDS)
        store.away = False
        await asyncio.sleep(INTERVAL_SECONDS)
    assert store.writes == 1
    assert any("the flow of requests cannot be published" in each for each in warnings)


@in_virtual_time
async def test_a_cancellation_from_inside_a_library_does_not_silence_it() -> None:
    class CancelledOnce(FakeCapacity):
        cancels = True

        async def write(self, record: JsonObject) -> None:
            if self.cancels:
                self.cancels = False
                raise asyncio.CancelledError("an inner call was cancelled")
            await super().write(record)

    store = CancelledOnce()
    flows = reports(store)
    async with flows.active():
        await pass_one(flows, 0, started=True)
        await asyncio.sleep(2 * INTERVAL_SECONDS)
    assert not store.cancels
    assert store.writes == 1


@in_virtual_time
async def test_after_a_stop_nothing_more_is_told() -> None:
    store = FakeCapacity()
    flows = reports(store)
    async with flows.active():
        await pass_one(flows, 0, started=True)
    await flows.stop()
    await asyncio.sleep(60)
    assert store.writes == 0
