"""How late the other signals are, and what they say."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from benchmarks.control.plant import Behaviour, Plant
from benchmarks.control.scenarios import DEPLOYMENT, Scenario
from benchmarks.control.signals import UsageEvents, minute_of, write_minutes, write_usage
from benchmarks.control.store import CapacityContainer
from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.usage import UsageWindows
from ptu_optimizer.capacity.signals.usage_events import UsageEvents as Aggregation
from ptu_optimizer.capacity.work import known_models
from ptu_optimizer.feeds.usage_feed import UsageFeed

STEADY = "".join(f"{half / 2},100,25\n" for half in range(1_200))
"""Two calls a second, 200 of work each, for ten minutes: 8 PTU drain that."""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    file = tmp_path / "steady.csv"
    file.write_text("seconds,ContextTokens,GeneratedTokens\n" + STEADY)
    return Scenario(name="steady", files=(file,), ptus=16)


def plant_of(scenario: Scenario, *, gateway: UsageEvents | None = None) -> Plant:
    return Plant(
        scenario.deployment(bucket_seconds=10),
        scenario.calls(),
        behaviour=Behaviour(),
        gateway=gateway,
        seed=1,
    )


async def seen(store: CapacityContainer) -> list[dict[str, Any]]:
    return await store.changed(DEPLOYMENT, since=0.0)


def begin(store: CapacityContainer, plant: Plant, **more: Any) -> "asyncio.Task[None]":
    given = {"metric": "level", "silent": None, "seed": 5, **more}
    return asyncio.create_task(write_minutes(plant, store, deployment=DEPLOYMENT, **given))


@in_virtual_time
async def _ages_of_minutes(scenario: Scenario) -> list[float]:
    """How old the newest minute that can be read is, at every second of ten minutes."""
    store = CapacityContainer()
    task = begin(store, plant_of(scenario))
    clock, ages = VirtualClock(), []
    for _ in range(600):
        await asyncio.sleep(1)
        ends = [Minute.from_record(record).ends_at for record in await seen(store)]
        if ends:
            ages.append(clock.now() - max(ends))
    task.cancel()
    return ages


def test_what_is_read_of_the_metric_is_one_to_three_minutes_old(scenario: Scenario) -> None:
    ages = _ages_of_minutes(scenario)
    assert min(ages) >= 60
    assert max(ages) <= 181
    assert max(ages) - min(ages) > 60


@in_virtual_time
async def _minutes(scenario: Scenario, **more: Any) -> list[Minute]:
    store = CapacityContainer()
    task = begin(store, plant_of(scenario), **more)
    await asyncio.sleep(600)
    task.cancel()
    return [Minute.from_record(record) for record in await seen(store)]


def test_a_minute_says_what_was_accepted_and_used(scenario: Scenario) -> None:
    first = _minutes(scenario)[0]
    assert first.ends_at == EPOCH + 60
    # the first calls begin at 0 s and each ends 0.56 s later
    assert first.accepted == 119
    assert first.refused == 0
    assert first.prompt_tokens == 119 * 100
    assert first.generated_tokens == 119 * 25


def test_the_metric_means_a_level_or_a_load(scenario: Scenario) -> None:
    by_level, by_load = _minutes(scenario)[0], _minutes(scenario, metric="load")[0]
    assert by_load.utilization == pytest.approx(0.5, abs=0.01)
    assert by_level.utilization is not None
    assert 0 < by_level.utilization < 0.05


def test_a_silent_metric_says_nothing_and_never_zero(scenario: Scenario) -> None:
    minutes = _minutes(scenario, silent=(0.0, 300.0))
    assert minutes
    assert min(minute.ends_at for minute in minutes) > EPOCH + 180


@in_virtual_time
async def _silence(scenario: Scenario) -> Minute | None:
    plant = plant_of(scenario)
    await asyncio.sleep(900)
    plant.settle()
    return minute_of(plant, 14, deployment=DEPLOYMENT, metric="level")


def test_of_a_minute_without_calls_there_is_no_record(scenario: Scenario) -> None:
    assert _silence(scenario) is None


# --- usage events -------------------------------------------------------------------------------


@in_virtual_time
async def _lateness_of_events(scenario: Scenario) -> tuple[list[float], list[UsageWindows]]:
    """For every window that is read, how old its end is when it is first seen; and all of them."""
    gateway = UsageEvents(deployment=DEPLOYMENT, lost_share=0.0, seed=1)
    plant, store = plant_of(scenario, gateway=gateway), CapacityContainer()
    clock = VirtualClock()
    feed = UsageFeed(events=Aggregation({DEPLOYMENT: known_models()["gpt-4.1"]}), clock=clock)
    task = asyncio.create_task(write_usage(gateway, feed, plant, store))
    first_seen: dict[str, float] = {}
    usages: dict[str, UsageWindows] = {}
    for _ in range(600):
        await asyncio.sleep(0.1)
        for record in await seen(store):
            usage = usages[record["id"]] = UsageWindows.from_record(record)
            first_seen.setdefault(record["id"], clock.now() - usage.windows[-1].start)
    task.cancel()
    return list(first_seen.values()), list(usages.values())


def test_a_usage_event_is_known_two_seconds_later(scenario: Scenario) -> None:
    since_window_began, _ = _lateness_of_events(scenario)
    # calls begin when windows do: the event is as old as its window
    assert min(since_window_began) >= 2.0
    assert max(since_window_began) <= 2.0 + 0.25 + 0.5 + 0.2


def test_usage_events_tell_of_all_the_work_and_that_it_is_not_ours(scenario: Scenario) -> None:
    _, usages = _lateness_of_events(scenario)
    assert {usage.ours for usage in usages} == {False}
    windows = [window for usage in usages for window in usage.windows]
    calls = sum(window.calls for window in windows)
    assert calls == pytest.approx(2 * 64, abs=4)  # two a second for the 66 s that this takes
    assert sum(window.net for window in windows) == pytest.approx(200 * calls)


def test_lost_events_are_lost(scenario: Scenario) -> None:
    gateway = UsageEvents(deployment=DEPLOYMENT, lost_share=0.5, seed=1)
    for number, call in enumerate(scenario.calls()):
        gateway.started(number, call, at=call.at)
    found = sum(len(delivery.events) for delivery in gateway.take(until=600.0))
    assert found == pytest.approx(600, abs=60)
