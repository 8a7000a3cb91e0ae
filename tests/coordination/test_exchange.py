"""Signals travel between processes while these work, and cost little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.admission.gate import CallAsk, Gate
from ptu_optimizer.admission.permits import Ending, Permit
from ptu_optimizer.admission.wait_limits import WaitLimits
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.usage import UsageWindows
from ptu_optimizer.coordination.exchange import FOLLOWER_INTERVALS, STOP_SECONDS, CapacityExchange
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import REQUESTS
from tests.support.controllers import Paced
from tests.support.stores import FakeCapacity

PATIENT = WaitLimits(hold_seconds=1e6, until=1e6)
INTERVAL = 0.25


class Store(FakeCapacity):
    """Remembers when what was written, and counts reads."""

    def __init__(self, *, away: bool = False) -> None:
        super().__init__(away=away)
        self.log: list[JsonObject] = []
        self.reads = 0

    async def write(self, record: JsonObject) -> None:
        await super().write(record)
        self.log.append(record)

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        self.reads += 1
        return await super().changed(deployment, since=since, kinds=kinds)

    def written(self, type_: str) -> list[JsonObject]:
        return [record for record in self.log if record["type"] == type_]


class Process:
    """One worker process with a gate per deployment."""

    def __init__(self, name: str, store: FakeCapacity, *deployments: str) -> None:
        self.name = name
        self.clock = VirtualClock()
        self.controllers = {deployment: Paced() for deployment in deployments or ("ptu",)}
        self.gates = {
            deployment: Gate(
                deployment=deployment, controller=controller, clock=self.clock, shared=True
            )
            for deployment, controller in self.controllers.items()
        }
        self.gate = next(iter(self.gates.values()))
        self.exchange = CapacityExchange(
            gates=self.gates,
            store=store,
            clock=self.clock,
            worker=name,
            interval_seconds=INTERVAL,
        )

    def reads(self, value: float) -> None:
        """It has an answer with a utilization header."""
        self.gate.told(
            Reading(
                deployment=self.gate.deployment,
                kind=ReadingKind.LEVEL,
                value=value,
                source=self.name,
                observed_at=self.clock.now(),
            )
        )

    def heard(self, deployment: str = "ptu") -> list[object]:
        """What others have told it."""
        return [
            signal
            for signal in self.controllers[deployment].heard
            if getattr(signal, "source", "") != self.name
        ]

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """With an invocation open, and a call of each deployment under way or waiting to be."""
        async with self.exchange.active():
            calls = [asyncio.create_task(self._call(gate)) for gate in self.gates.values()]
            try:
                yield
            finally:
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)

    @staticmethod
    async def _call(gate: Gate) -> None:
        permit = await gate.enter(CallAsk(work=10.0, limits=PATIENT, hub=REQUESTS))
        assert isinstance(permit, Permit), permit
        try:
            await asyncio.sleep(1e6)
        finally:
            permit.end(Ending(used=10.0, answered=True))


def values(heard: list[object]) -> list[float]:
    return [signal.value for signal in heard if isinstance(signal, Reading)]


@in_virtual_time
async def test_what_one_process_reads_who_has_the_turn_hears() -> None:
    store = Store()
    one, other = Process("one", store), Process("other", store)
    async with other.sending(), one.exchange.active():
        await one.clock.sleep(2)
        one.reads(0.6)
        await one.clock.sleep(FOLLOWER_INTERVALS * INTERVAL + 2 * INTERVAL)
    assert values(other.heard()) == [0.6]


@in_virtual_time
async def test_who_gets_the_turn_hears_what_was_told_before() -> None:
    store = Store()
    one, other = Process("one", store), Process("other", store)
    one.reads(0.6)
    async with one.exchange.active(), other.exchange.active():
        await one.clock.sleep(50)
        minute = Minute(deployment="ptu", ends_at=EPOCH, utilization=0.4)
        await store.write(minute.record(ttl_seconds=600))
        await one.clock.sleep(10)
        assert other.heard() == [minute], "who does not send need not know more"
        async with other.sending():
            await one.clock.sleep(1)
    assert values(other.heard()) == [0.6]


@in_virtual_time
async def test_a_call_of_one_process_is_known_to_who_has_the_turn() -> None:
    store = Store()
    one, other = Process("one", store), Process("other", store)
    async with one.sending():
        await one.clock.sleep(2)
    async with other.sending():
        await other.clock.sleep(5)
    told = [signal for signal in other.heard() if isinstance(signal, UsageWindows)]
    assert {usage.source for usage in told} == {"one"}
    assert sum(window.reserved for usage in told for window in usage.windows) == 10.0


@in_virtual_time
async def test_a_reading_is_written_once() -> None:
    store = Store()
    one = Process("one", store)
    one.reads(0.6)
    async with one.sending():
        await one.clock.sleep(60)
    assert len(store.written("reading")) == 1


@in_virtual_time
async def test_many_readings_cost_at_most_one_write_per_interval() -> None:
    store = Store()
    one = Process("one", store)
    async with one.sending():
        for step in range(100):
            one.reads(step / 100)
            await one.clock.sleep(0.1)
    assert len(store.written("reading")) <= 10 / INTERVAL + 2
    assert len(store.of_type("reading")) == 1, "a process has one record, written over"


@in_virtual_time
async def test_signals_of_others_are_not_passed_on() -> None:
    store = Store()
    one, other = Process("one", store), Process("other", store)
    one.reads(0.6)
    async with one.exchange.active(), other.sending():
        await one.clock.sleep(10)
    assert {record["source"] for record in store.written("reading")} == {"one"}
    assert {record["source"] for record in store.written("usage")} == {"other"}


@in_virtual_time
async def test_what_a_process_told_it_does_not_hear_again() -> None:
    store = Store()
    one = Process("one", store)
    async with one.sending():
        one.reads(0.6)
        await one.clock.sleep(10)
    assert values(list(one.controllers["ptu"].heard)) == [0.6]


@in_virtual_time
async def test_a_minute_of_the_metric_is_heard_by_all_once_and_again_when_it_was_mended() -> None:
    store = Store()
    one, other = Process("one", store), Process("other", store)
    minute = Minute(deployment="ptu", ends_at=EPOCH - 60, utilization=0.4)
    await store.write(minute.record(ttl_seconds=600))
    mended = Minute(deployment="ptu", ends_at=EPOCH - 60, utilization=0.5)
    async with one.sending(), other.exchange.active():
        await one.clock.sleep(10)
        assert one.heard() == other.heard() == [minute]
        await store.write(mended.record(ttl_seconds=600))
        await one.clock.sleep(10)
    assert one.heard() == other.heard() == [minute, mended]


@in_virtual_time
async def test_deployments_are_kept_apart() -> None:
    store = Store()
    one, other = Process("one", store, "a", "b"), Process("other", store, "a", "b")
    one.reads(0.6)
    async with one.exchange.active(), other.sending():
        await one.clock.sleep(2.5)
    assert values(other.heard("a")) == [0.6]
    assert other.heard("b") == []


@in_virtual_time
async def test_an_idle_process_exchanges_nothing() -> None:
    store = Store()
    one = Process("one", store)
    async with one.exchange.active():
        pass
    await one.clock.sleep(5)
    reads = store.reads
    one.reads(0.6)
    await one.clock.sleep(60)
    assert (store.writes, store.reads) == (0, reads)


@in_virtual_time
async def test_who_has_not_the_turn_and_sends_nothing_looks_less_often() -> None:
    store = Store()
    one = Process("one", store)
    async with one.exchange.active():
        await one.clock.sleep(60)
    assert store.reads == pytest.approx(60 / (FOLLOWER_INTERVALS * INTERVAL), abs=2)


@in_virtual_time
async def test_who_wants_a_turn_does_not_wait_for_the_next_look() -> None:
    one = Process("one", Store())
    async with one.exchange.active():
        await one.clock.sleep(0.1)
        began = one.clock.monotonic()
        assert isinstance(
            await one.gate.enter(CallAsk(work=1, limits=PATIENT, hub=REQUESTS)), Permit
        )
        assert one.clock.monotonic() == pytest.approx(began, abs=0.05)


@in_virtual_time
async def test_several_invocations_of_a_process_share_one_exchange() -> None:
    store = Store()
    one = Process("one", store)
    async with one.exchange.active():
        async with one.exchange.active():
            await one.clock.sleep(3)
        one.reads(0.6)
        await one.clock.sleep(3)
    assert len(store.written("reading")) == 1


@in_virtual_time
async def test_it_starts_again_with_the_next_invocation() -> None:
    store = Store()
    one = Process("one", store)
    for value in (0.2, 0.4):
        async with one.exchange.active():
            one.reads(value)
            await one.clock.sleep(3)
        await one.clock.sleep(60)
    assert [record["value"] for record in store.written("reading")] == [0.2, 0.4]


@in_virtual_time
async def test_the_turn_is_given_up_when_nothing_is_left_to_do() -> None:
    store = Store()
    one = Process("one", store)
    async with one.sending():
        await one.clock.sleep(3)
        assert [lease["holder"] for lease in store.of_type("lease")] == ["one"]
    await one.clock.sleep(3)
    assert [lease["holder"] for lease in store.of_type("lease")] == [""]


@in_virtual_time
async def test_a_store_that_is_away_costs_only_freshness() -> None:
    store = Store(away=True)
    one = Process("one", store)
    one.reads(0.6)
    async with one.exchange.active():
        await one.clock.sleep(5)
        store.away = False
        await one.clock.sleep(3)
    assert len(store.written("reading")) == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"value": None}, id="no value"),
        pytest.param({"value": -1}, id="no utilization"),
        pytest.param({"kind": "mood"}, id="unknown kind"),
        pytest.param({"type": "lease"}, id="a lease that is none"),
        pytest.param({"type": "candidate"}, id="a candidate that is none"),
        pytest.param({"type": "minute"}, id="a minute that is none"),
        pytest.param({"type": "usage"}, id="usage that is none"),
        pytest.param({"type": "of a later release"}, id="an unknown type"),
    ],
)
@in_virtual_time
async def test_a_record_that_makes_no_sense_does_not_stop_the_others(
    change: dict[str, object],
) -> None:
    store = Store()
    good = Reading(
        deployment="ptu", kind=ReadingKind.LEVEL, value=0.3, source="other", observed_at=EPOCH
    ).record(record_id="z", ttl_seconds=600)
    await store.write({**good, "id": "a", **change})
    await store.write(good)
    one = Process("one", store)
    async with one.sending():
        await one.clock.sleep(1)
    assert values(one.heard()) == [0.3]


@in_virtual_time
async def test_what_nobody_expected_is_survived_too() -> None:
    class Broken(FakeCapacity):
        async def write(self, record: JsonObject) -> None:
            self.writes += 1
            raise RuntimeError("nobody thought of this")

    store = Broken()
    one = Process("one", store)
    one.reads(0.6)
    async with one.exchange.active():
        await one.clock.sleep(10)
    assert store.writes >= 3, "it goes on trying"


class CancelledOnce(Store):
    """A library's cancellation comes out of one read, as from an SDK whose own task was cancelled.
    Nobody asked the exchange to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.cancels = False

    async def changed(
        self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
    ) -> list[JsonObject]:
        if self.cancels:
            self.cancels = False
            raise asyncio.CancelledError("an inner call was cancelled")
        return await super().changed(deployment, since=since, kinds=kinds)


@pytest.mark.parametrize("deployments", [["ptu"], ["a", "ptu"]], ids=["one", "two"])
@in_virtual_time
async def test_a_cancellation_from_inside_a_library_does_not_stop_it(
    deployments: list[str],
) -> None:
    store = CancelledOnce()
    one, other = Process("one", store, *deployments), Process("other", store, *deployments)
    async with one.sending():
        await one.clock.sleep(3)
        store.cancels = True
        await one.clock.sleep(3)
        async with other.exchange.active():
            other.gates["ptu"].told(
                Reading(
                    deployment="ptu",
                    kind=ReadingKind.LEVEL,
                    value=0.6,
                    source="other",
                    observed_at=other.clock.now(),
                )
            )
            await one.clock.sleep(60)
        holders = {lease["holder"] for lease in store.of_type("lease")}
    assert not store.cancels, "it was never cancelled: nothing is shown"
    assert holders == {"one"}, "it keeps the turn"
    assert values(one.heard()) == [0.6]


@in_virtual_time
async def test_a_host_that_ends_waits_for_no_store() -> None:
    class Hanging(Store):
        async def changed(
            self, deployment: str, *, since: float, kinds: Sequence[str] | None = None
        ) -> list[JsonObject]:
            await asyncio.sleep(1e6)
            return []

    one = Process("one", Hanging())
    async with one.exchange.active():
        await one.clock.sleep(1)
    began = one.clock.monotonic()
    await one.exchange.stop()
    assert one.clock.monotonic() - began == pytest.approx(STOP_SECONDS)
