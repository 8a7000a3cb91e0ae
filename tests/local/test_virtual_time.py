"""The tests' own clock: it jumps, it keeps order, and it does not hang."""

import asyncio
import time

import pytest

from local.virtual_time import EPOCH, Stuck, VirtualClock, in_virtual_time, run_virtually


@in_virtual_time
async def test_an_hour_passes_at_once_and_to_the_second() -> None:
    clock, started = VirtualClock(), time.monotonic()
    await clock.sleep(3600)
    assert clock.monotonic() == 3600
    assert clock.now() == EPOCH + 3600
    assert time.monotonic() - started < 5


@in_virtual_time
async def test_who_sleeps_shorter_wakes_earlier() -> None:
    clock, woken = VirtualClock(), list[float]()

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(clock.monotonic())

    await asyncio.gather(*map(sleeper, (3.0, 0.1, 2.0)))
    assert woken == pytest.approx([0.1, 2.0, 3.0])


@in_virtual_time
async def test_timeouts_of_asyncio_run_on_it() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), timeout=30)
    assert VirtualClock().monotonic() == pytest.approx(30)


@in_virtual_time
async def test_time_stands_still_while_there_is_something_to_do() -> None:
    for _ in range(100):
        await asyncio.sleep(0)
    assert VirtualClock().monotonic() == 0


@in_virtual_time
async def test_a_skewed_clock_differs_in_wall_time_only() -> None:
    ahead, behind = VirtualClock(skew=5), VirtualClock(skew=-5)
    assert ahead.now() - behind.now() == 10
    assert ahead.monotonic() == behind.monotonic()


def test_what_nothing_can_wake_raises_instead_of_hanging() -> None:
    async def wait_for_nothing() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        run_virtually(wait_for_nothing())
