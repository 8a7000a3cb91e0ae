"""Who sends tells what it believes, so that another process can show it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from local.virtual_time import VirtualClock, in_virtual_time
from ptu_optimizer.admission.gate import CallAsk, Gate
from ptu_optimizer.admission.permits import Ending, Permit
from ptu_optimizer.admission.wait_limits import WaitLimits
from ptu_optimizer.capacity.control.verdict import Admit, Wait
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.coordination.belief_publisher import INTERVAL_SECONDS
from ptu_optimizer.coordination.belief_report import BeliefReport
from ptu_optimizer.coordination.exchange import CapacityExchange
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_SOON
from tests.support.controllers import level_controller
from tests.support.stores import FakeCapacity

PATIENT = WaitLimits(hold_seconds=600, until=1e6)


class Store(FakeCapacity):
    """Remembers every belief that was ever told, and answers after a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[BeliefReport] = []
        self.swap_seconds = 0.01

    async def write(self, record: JsonObject) -> None:
        await super().write(record)
        if record["type"] == "belief":
            self.told.append(BeliefReport.from_record(record))

    async def swap(self, record: JsonObject, *, etag: str | None) -> str | None:
        await asyncio.sleep(self.swap_seconds)
        return await super().swap(record, etag=etag)

    def newest(self, worker: str) -> BeliefReport:
        return [one for one in self.told if one.worker == worker][-1]


class Process:
    def __init__(self, name: str, store: Store) -> None:
        self.clock = VirtualClock()
        self.gate = Gate(
            deployment="ptu",
            controller=level_controller(source=name),
            clock=self.clock,
            shared=True,
        )
        self.exchange = CapacityExchange(
            gates={"ptu": self.gate},
            store=store,
            clock=self.clock,
            worker=name,
            interval_seconds=0.5,
        )

    async def send(self, hub: str = REQUESTS, *, seconds: float = 0.0) -> None:
        """Pass the gate, and be under way for so long."""
        permit = await self.gate.enter(CallAsk(work=10.0, limits=PATIENT, hub=hub))
        assert isinstance(permit, Permit), permit
        await asyncio.sleep(seconds)
        permit.end(Ending(used=10.0, answered=True))

    @asynccontextmanager
    async def sending(self, hub: str = REQUESTS) -> AsyncIterator[None]:
        """With an invocation open that has a call under way."""
        async with self.exchange.active():
            call = asyncio.create_task(self.send(hub, seconds=1e6))
            try:
                yield
            finally:
                call.cancel()

    def reads(self, level: float) -> None:
        self.gate.observe(
            Reading(
                deployment="ptu",
                kind=ReadingKind.LEVEL,
                value=level,
                source="a header",
                observed_at=self.clock.now(),
            )
        )

    def is_refused(self, *, seconds: float) -> None:
        """The deployment has answered 429: nothing passes for so long."""
        now = self.clock.now()
        self.gate.observe(
            Reading(
                deployment="ptu",
                kind=ReadingKind.THROTTLED,
                value=1.0,
                source="a 429",
                observed_at=now,
                until=now + seconds,
            )
        )


@in_virtual_time
async def test_who_has_a_turn_tells_every_three_seconds() -> None:
    store = Store()
    one = Process("one", store)
    async with one.sending():
        await asyncio.sleep(30)
    times = [report.at for report in store.told if report.dispatching]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert 9 <= len(times) <= 11
    assert min(gaps) >= INTERVAL_SECONDS
    assert max(gaps) <= INTERVAL_SECONDS + 0.6


@in_virtual_time
async def test_it_tells_of_belief_calls_and_every_hub() -> None:
    store = Store()
    one = Process("one", store)
    async with one.sending():
        one.reads(0.05)
        await asyncio.sleep(4)
        open_gate = store.newest("one")
        for _ in range(3):
            one.reads(0.9)
            await asyncio.sleep(1.5)
        waiting = [asyncio.create_task(one.send(REQUESTS_SOON)) for _ in range(2)]
        await asyncio.sleep(4)
        closed_gate = store.newest("one")
        for task in waiting:
            task.cancel()
    assert (open_gate.in_flight, open_gate.belief.source) == (1, "header")
    (reading,) = [each for each in open_gate.belief.provenance if each.kind == "level"]
    assert (reading.source, reading.value, reading.weight) == ("a header", 0.05, 1.0)
    (hub,) = open_gate.hubs
    assert (hub.hub, hub.waiting) == (REQUESTS, 0)
    assert isinstance(hub.verdict, Admit)
    soon = closed_gate.hub(REQUESTS_SOON)
    assert soon is not None
    assert soon.waiting == 2
    assert isinstance(soon.verdict, Wait)
    assert soon.verdict.blocked


@in_virtual_time
async def test_at_a_closed_gate_it_goes_on_telling() -> None:
    store = Store()
    one = Process("one", store)
    one.is_refused(seconds=60)
    async with one.exchange.active():
        waiting = asyncio.create_task(one.send())
        await asyncio.sleep(30)
        assert len(store.told) >= 9, "nothing passes, so there is nothing else to tell"
        waiting.cancel()
        await asyncio.sleep(0)


@in_virtual_time
async def test_who_has_no_turn_tells_nothing() -> None:
    store = Store()
    one, other = Process("one", store), Process("other", store)
    one.is_refused(seconds=60)
    async with one.exchange.active(), other.exchange.active():
        waiting = [asyncio.create_task(one.send())]
        await asyncio.sleep(2)
        waiting.append(asyncio.create_task(other.send()))
        await asyncio.sleep(20)
        assert {report.worker for report in store.told} == {"one"}
        for task in waiting:
            task.cancel()
        await asyncio.sleep(0)


@in_virtual_time
async def test_who_stops_takes_its_word_back() -> None:
    store = Store()
    one = Process("one", store)
    async with one.sending():
        await asyncio.sleep(5)
    await asyncio.sleep(2)
    assert [report.dispatching for report in store.told][-2:] == [True, False]
    told = len(store.told)
    await asyncio.sleep(60)
    assert len(store.told) == told


@in_virtual_time
async def test_who_has_told_nothing_has_nothing_to_take_back() -> None:
    store = Store()
    async with Process("one", store).exchange.active():
        await asyncio.sleep(5)
    await asyncio.sleep(2)
    assert store.told == []


@in_virtual_time
async def test_a_store_that_is_away_costs_the_word_only() -> None:
    store = Store()
    one = Process("one", store)
    async with one.sending():
        await asyncio.sleep(4)
        told = len(store.told)
        store.away = True
        await asyncio.sleep(3)
        store.away = False
        await asyncio.sleep(5)
        assert len(store.told) > told


@pytest.mark.parametrize("pause", [0.0, 0.3, 0.6, 1.5, 3.0])
@in_virtual_time
async def test_who_comes_while_the_exchange_leaves_gets_its_turn(pause: float) -> None:
    """Giving a turn up takes a write: an invocation that begins meanwhile must not wait in vain."""
    store = Store()
    one = Process("one", store)
    async with one.exchange.active():
        await one.send(seconds=4)
    store.swap_seconds = 2.0
    await asyncio.sleep(pause)
    async with one.exchange.active(), asyncio.timeout(10):
        await one.send(REQUESTS_SOON)
