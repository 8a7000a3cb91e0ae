"""How long one stands at a gate: by whose turn it is, and since when it is closed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.virtual_time import in_virtual_time
from ptu_optimizer.admission.wait_limits import LOOK_SECONDS, WaitLimits, Watch

CAME = 100.0
PATIENCE = WaitLimits(hold_seconds=30, until=CAME + 90, turn_seconds=600)


def left(
    *,
    now: float,
    limits: WaitLimits = PATIENCE,
    ours: bool = True,
    turn_since: float = 0.0,
    blocked_since: float | None = None,
) -> tuple[float, float]:
    return limits.left(
        came=CAME, now=now, ours=ours, turn_since=turn_since, blocked_since=blocked_since
    )


@pytest.mark.parametrize(
    ("turn_since", "blocked_since", "ends"),
    [
        pytest.param(0.0, None, CAME + 90, id="open: to the end of its batch"),
        pytest.param(0.0, 50.0, CAME + 30, id="closed before it came"),
        pytest.param(0.0, CAME + 20, CAME + 50, id="closed since"),
        pytest.param(0.0, CAME + 80, CAME + 90, id="closed, but the batch ends first"),
        pytest.param(CAME + 40, CAME + 20, CAME + 70, id="closed before its turn"),
        pytest.param(CAME + 40, None, CAME + 130, id="the wait for a turn costs its batch no time"),
        pytest.param(CAME + 70, CAME + 140, CAME + 160, id="all of it"),
    ],
)
def test_when_patience_ends(turn_since: float, blocked_since: float | None, ends: float) -> None:
    for now in (CAME, ends - 1.0, ends, ends + 5.0):
        remaining, _ = left(now=now, turn_since=turn_since, blocked_since=blocked_since)
        assert remaining == pytest.approx(ends - now)


def test_without_the_turn_only_the_patience_for_turns_counts() -> None:
    remaining, look = left(now=CAME + 200, ours=False, blocked_since=0.0)
    assert remaining == pytest.approx(400)
    assert look == 30, "when the turn comes there is another patience"
    impatient = WaitLimits(hold_seconds=0, until=CAME + 90, turn_seconds=600)
    assert left(now=CAME, limits=impatient, ours=False) == (600, LOOK_SECONDS)


@given(
    came=st.floats(CAME, CAME + 90, exclude_max=True),
    turn_since=st.floats(0, 1_000),
    blocked_since=st.none() | st.floats(0, 1_000),
)
def test_nobody_stands_longer_than_the_wait_for_a_turn_and_the_budget(
    came: float, turn_since: float, blocked_since: float | None
) -> None:
    """Whenever it came within the budget, and whenever the turn came within its wait."""
    end = PATIENCE.until + PATIENCE.turn_seconds
    for ours in (False, True):
        remaining, _ = PATIENCE.left(
            came=came,
            now=end,
            ours=ours,
            turn_since=min(turn_since, came + PATIENCE.turn_seconds),
            blocked_since=blocked_since,
        )
        assert remaining <= 1e-6


@given(
    hold=st.floats(0.5, 60),
    now=st.floats(CAME, CAME + 200),
    turn_since=st.floats(0, CAME + 200),
    closes=st.floats(0, 60),
)
def test_whenever_the_gate_closes_patience_is_not_over_before_the_next_look(
    hold: float, now: float, turn_since: float, closes: float
) -> None:
    limits = WaitLimits(hold_seconds=hold, until=CAME + 90)
    remaining, look = left(now=now, limits=limits, turn_since=turn_since)
    if remaining <= 0 or closes > look:
        return
    then, _ = left(
        now=now + look,
        limits=limits,
        turn_since=turn_since,
        blocked_since=now + closes,
    )
    assert then > -1e-6


# --- one timer for all ------------------------------------------------------------------------


class Wanted:
    """Notes when it looks; wants to be looked at again at given times."""

    def __init__(self, *times: float) -> None:
        self.looks: list[float] = []
        self._times = list(times)

    def __call__(self) -> float | None:
        now = asyncio.get_running_loop().time()
        self.looks.append(now)
        return min((at - now for at in self._times if at > now), default=None)


@in_virtual_time
async def test_it_looks_when_the_first_of_many_wants_it_and_then_for_the_others() -> None:
    wanted = Wanted(3.0, 5.0, 9.0)
    watch = Watch(wanted)
    for seconds in (9.0, 3.0, 5.0):
        watch.within(seconds)
    await asyncio.sleep(60)
    assert wanted.looks == [3.0, 5.0, 9.0]


@in_virtual_time
async def test_a_later_wish_does_not_put_off_an_earlier_one() -> None:
    wanted = Wanted()
    watch = Watch(wanted)
    watch.within(2.0)
    await asyncio.sleep(1)
    watch.within(2.0)
    await asyncio.sleep(60)
    assert wanted.looks == [2.0]


@in_virtual_time
async def test_after_nobody_wanted_it_it_can_be_wanted_again() -> None:
    wanted = Wanted()
    watch = Watch(wanted)
    watch.within(1.0)
    await asyncio.sleep(10)
    watch.within(1.0)
    await asyncio.sleep(10)
    assert wanted.looks == [1.0, 11.0]
