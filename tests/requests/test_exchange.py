"""Readings travel between processes while these work, and cost little."""

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.capacity.admission import SlowDown, SlowDownLimits
from ptu_optimizer.capacity.gauge import Gauge
from ptu_optimizer.capacity.reading import Kind, Reading
from ptu_optimizer.requests.exchange import ReadingExchange
from ptu_optimizer.requests.gate import Gate
from tests.support.stores import FakeCapacity

LIMITS = SlowDownLimits(lower=0.2, upper=0.8, max_concurrent_calls=10)


class Process:
    """One worker process with a gate per deployment."""

    def __init__(self, name: str, store: FakeCapacity, *deployments: str) -> None:
        self.name = name
        self.clock = VirtualClock()
        self.gates = {
            deployment: Gate(
                deployment=deployment,
                controller=SlowDown(
                    limits=LIMITS, gauge=Gauge(live_ttl_seconds=15, metric_ttl_seconds=300)
                ),
                clock=self.clock,
            )
            for deployment in deployments or ("ptu",)
        }
        self.gate = next(iter(self.gates.values()))
        self.exchange = ReadingExchange(
            gates=self.gates,
            store=store,
            clock=self.clock,
            worker=name,
            interval_seconds=1,
        )

    def reads(self, value: float, *, source: str | None = None) -> None:
        self.gate.observe(
            Reading(
                deployment=self.gate.deployment,
                kind=Kind.LEVEL,
                value=value,
                source=source or self.name,
                observed_at=self.clock.now(),
            )
        )


@in_virtual_time
async def test_what_one_process_reads_another_believes() -> None:
    store = FakeCapacity()
    one, other = Process("one", store), Process("other", store)
    one.reads(0.6)
    async with one.exchange.active(), other.exchange.active():
        await one.clock.sleep(2.5)
    assert other.gate.belief().value == 0.6
    assert other.gate.belief().source == "one"


@in_virtual_time
async def test_a_reading_is_written_once() -> None:
    store = FakeCapacity()
    one = Process("one", store)
    one.reads(0.6)
    async with one.exchange.active():
        await one.clock.sleep(60)
    assert store.writes == 1


@in_virtual_time
async def test_many_readings_cost_at_most_one_write_per_interval() -> None:
    store = FakeCapacity()
    one = Process("one", store)
    async with one.exchange.active():
        for step in range(100):
            one.reads(step / 100)
            await one.clock.sleep(0.1)
    assert store.writes <= 11
    assert len(store.records) == 1, "a process has one record, written over"


@in_virtual_time
async def test_readings_of_others_are_not_passed_on() -> None:
    store = FakeCapacity()
    one, other = Process("one", store), Process("other", store)
    one.reads(0.6)
    async with one.exchange.active(), other.exchange.active():
        await one.clock.sleep(10)
    assert [record["source"] for record in store.records.values()] == ["one"]


@in_virtual_time
async def test_the_timers_metric_is_taken_in_too() -> None:
    store = FakeCapacity()
    metric = Reading(
        deployment="ptu",
        kind=Kind.UTILIZATION,
        value=0.4,
        source="azure_monitor",
        observed_at=EPOCH - 90,
    )
    await store.write(metric.record(record_id="metric", ttl_seconds=600))
    one = Process("one", store)
    await one.exchange.once(one.gate)
    assert one.gate.belief().source == "azure_monitor"


@in_virtual_time
async def test_deployments_are_kept_apart() -> None:
    store = FakeCapacity()
    one, other = Process("one", store, "a", "b"), Process("other", store, "a", "b")
    one.reads(0.6)
    async with one.exchange.active(), other.exchange.active():
        await one.clock.sleep(2.5)
    assert other.gates["a"].belief().value == 0.6
    assert other.gates["b"].belief().value is None


@in_virtual_time
async def test_an_idle_process_exchanges_nothing() -> None:
    store = FakeCapacity()
    one = Process("one", store)
    async with one.exchange.active():
        pass
    await one.clock.sleep(5)
    one.reads(0.6)
    await one.clock.sleep(5)
    assert store.writes == 0


@in_virtual_time
async def test_several_invocations_of_a_process_share_one_exchange() -> None:
    store = FakeCapacity()
    one = Process("one", store)
    async with one.exchange.active():
        async with one.exchange.active():
            await one.clock.sleep(3)
        one.reads(0.6)
        await one.clock.sleep(2)
    assert store.writes == 1


@in_virtual_time
async def test_it_starts_again_with_the_next_invocation() -> None:
    store = FakeCapacity()
    one = Process("one", store)
    for value in (0.2, 0.4):
        async with one.exchange.active():
            one.reads(value)
            await one.clock.sleep(2)
        await one.clock.sleep(60)
    assert store.writes == 2


@in_virtual_time
async def test_a_store_that_is_away_costs_only_freshness() -> None:
    store = FakeCapacity(away=True)
    one = Process("one", store)
    one.reads(0.6)
    async with one.exchange.active():
        await one.clock.sleep(5)
        store.away = False
        await one.clock.sleep(2)
    assert store.writes == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"value": None}, id="no value"),
        pytest.param({"kind": "mood"}, id="unknown kind"),
        pytest.param({"observed_at": EPOCH + 3_600}, id="from the future"),
    ],
)
@in_virtual_time
async def test_a_record_that_makes_no_sense_does_not_stop_the_others(
    change: dict[str, object],
) -> None:
    store = FakeCapacity()
    good = Reading(
        deployment="ptu", kind=Kind.LEVEL, value=0.3, source="other", observed_at=EPOCH
    ).record(record_id="z", ttl_seconds=600)
    await store.write({**good, "id": "a", **change})
    await store.write(good)
    one = Process("one", store)
    await one.exchange.once(one.gate)
    assert one.gate.belief().value == 0.3


@in_virtual_time
async def test_what_nobody_expected_is_survived_too() -> None:
    class Broken(FakeCapacity):
        async def write(self, record: dict[str, object]) -> None:
            self.writes += 1
            raise RuntimeError("nobody thought of this")

    store = Broken()
    one = Process("one", store)
    one.reads(0.6)
    async with one.exchange.active():
        await one.clock.sleep(3)
    assert store.writes >= 3, "it goes on trying"
