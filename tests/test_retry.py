"""Trying again: the pauses grow, no try begins after the limit, and little of it is left unused."""

import pytest

from local.virtual_time import VirtualClock, in_virtual_time
from ptu_optimizer.retry import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Backoff


async def tries_at(clock: VirtualClock, backoff: Backoff) -> list[float]:
    """When the tries of an operation that always fails begin, in units of the first pause."""
    begun = [clock.monotonic()]
    while await backoff.again():
        begun.append(clock.monotonic())
    return [round(at / FIRST_PAUSE_SECONDS, 6) for at in begun]


@pytest.mark.parametrize(
    ("until", "tries"),
    [
        pytest.param(-1.0, [0], id="no time at all"),
        pytest.param(1.0, [0], id="the limit is the end of the first pause"),
        pytest.param(1.1, [0, 1], id="just time for a second try"),
        pytest.param(7.0, [0, 1, 3], id="the limit is the end of a later pause"),
        pytest.param(40.0, [0, 1, 3, 7, 15, 31], id="pauses double"),
    ],
)
@in_virtual_time
async def test_tries_until_the_limit(until: float, tries: list[float]) -> None:
    clock = VirtualClock()
    backoff = Backoff(clock, until=clock.monotonic() + until * FIRST_PAUSE_SECONDS)
    assert await tries_at(clock, backoff) == tries


@pytest.mark.parametrize("seconds", [10.0, 30.0, 31.7, 600.0])
@in_virtual_time
async def test_the_last_try_is_near_the_limit(seconds: float) -> None:
    clock = VirtualClock()
    until = clock.monotonic() + seconds
    last = (await tries_at(clock, Backoff(clock, until=until)))[-1] * FIRST_PAUSE_SECONDS
    assert until - LONGEST_PAUSE_SECONDS <= last < until


@in_virtual_time
async def test_without_time_left_it_says_so_at_once() -> None:
    clock = VirtualClock()
    began = clock.monotonic()
    assert not await Backoff(clock, until=began).again()
    assert clock.monotonic() == began
