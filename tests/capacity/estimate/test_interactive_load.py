"""The load of the others: from headers, from minutes, and how much it varies."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.estimate.interactive_load import (
    HIGHEST_LOAD,
    USUAL_CLIP,
    HeaderLoad,
    MinuteLoads,
    Spread,
)
from tests.support.signals import NOW

# --- by headers -----------------------------------------------------------------------------------


def test_before_anything_was_seen_it_is_half_a_load_neither_idle_nor_full() -> None:
    assert (HeaderLoad().now, HeaderLoad().usual) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("surprise", "load"),
    [
        pytest.param(0.0, 0.5, id="as predicted"),
        pytest.param(0.2, 0.5 + 0.2 * (1 - math.exp(-0.2)), id="fuller: more load"),
        pytest.param(-0.2, 0.5 - 0.2 * (1 - math.exp(-0.2)), id="emptier: less load"),
        pytest.param(-99.0, 0.0, id="never below nothing"),
        pytest.param(99.0, HIGHEST_LOAD, id="a burst counts so much at most"),
    ],
)
def test_a_level_that_surprises_is_the_others_load(surprise: float, load: float) -> None:
    header = HeaderLoad()
    header.surprised(surprise, 1.0)
    assert header.now == pytest.approx(load)


def test_a_load_that_stays_is_found_within_some_seconds() -> None:
    """What is predicted is wrong by the load that is not known yet, every second."""
    header = HeaderLoad()
    for _ in range(20):
        header.surprised(0.9 - header.now, 1.0)
    assert header.now == pytest.approx(0.9, abs=0.02)


def test_without_a_reading_the_load_goes_back_to_the_usual_one() -> None:
    header = HeaderLoad()
    header.surprised(10.0, 1.0)
    burst = header.now
    header.unseen(1.0)
    assert header.usual < header.now < burst
    header.unseen(600.0)
    assert header.now == pytest.approx(header.usual)


def test_a_usual_load_that_leaves_nothing_is_not_taken_for_the_present_one() -> None:
    """Else nothing would be sent, and without calls there are no headers: it would stay so."""
    header = HeaderLoad()
    header.usual = 1.4
    header.unseen(600.0)
    assert header.now == pytest.approx(0.9)


def test_a_burst_enters_the_usual_load_only_in_part() -> None:
    header = HeaderLoad()
    for _ in range(1_000):
        header.surprised(99.0, 1.0)
    assert header.usual == pytest.approx(USUAL_CLIP, abs=0.01)


@given(
    steps=st.lists(
        st.tuples(st.floats(-20, 20), st.floats(0.001, 60), st.floats(0, 600)), max_size=30
    )
)
def test_a_load_is_always_within_its_bounds(steps: list[tuple[float, float, float]]) -> None:
    header = HeaderLoad()
    for surprise, seconds, pause in steps:
        header.surprised(surprise, seconds)
        assert 0 <= header.now <= HIGHEST_LOAD
        header.unseen(pause)
        assert 0 <= header.now <= HIGHEST_LOAD
        assert 0 <= header.usual <= USUAL_CLIP


# --- how much it varies ---------------------------------------------------------------------------


def test_of_nothing_and_of_one_value_there_is_no_deviation() -> None:
    spread = Spread()
    assert (spread.mean, spread.deviation) == (0.0, 0.0)
    spread.add(0.7)
    assert spread.mean == pytest.approx(0.7)
    assert spread.deviation == pytest.approx(0.0, abs=1e-7)


@given(st.lists(st.floats(0, 3), min_size=2, max_size=60))
def test_within_its_memory_it_is_the_mean_and_the_deviation(values: list[float]) -> None:
    spread = Spread(memory=60)
    for value in values:
        spread.add(value)
    assert spread.mean == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert spread.deviation == pytest.approx(statistics.pstdev(values), abs=1e-6)


def test_beyond_its_memory_the_old_is_forgotten() -> None:
    spread = Spread(memory=10)
    for value in [3.0, 0.0] * 50 + [0.5] * 100:
        spread.add(value)
    assert spread.mean == pytest.approx(0.5, abs=0.01)
    assert spread.deviation < 0.02


def test_what_was_seen_is_handed_on() -> None:
    seen, successor = Spread(), Spread()
    for value in (0.1, 0.9, 0.4):
        seen.add(value)
    successor.go_on_from(seen.evidence)
    for one in (seen, successor):
        one.add(2.0)
    assert successor.evidence == seen.evidence
    successor.go_on_from(())
    assert successor.evidence == seen.evidence, "of another version: nothing is learned"


# --- by minutes -----------------------------------------------------------------------------------


def loads_of(*loads: float) -> MinuteLoads:
    made = MinuteLoads()
    for number, load in enumerate(loads):
        made.put(NOW + 60 * number, load)
    return made


@pytest.mark.parametrize(
    ("loads", "expected"),
    [
        pytest.param([], 0.5, id="no minute is not no load"),
        pytest.param([0.2], 0.2, id="one"),
        pytest.param([0.2, 0.4], 0.3, id="two"),
        pytest.param([0.9, 0.2, 0.4, 0.6], 0.4, id="the last three"),
    ],
)
def test_expected_is_the_mean_of_the_last_three_minutes(
    loads: list[float], expected: float
) -> None:
    assert loads_of(*loads).expected == pytest.approx(expected)


@pytest.mark.parametrize(
    ("loads", "deviation"),
    [
        pytest.param([], 0.2, id="no minute"),
        pytest.param([0.5, 0.5], 0.2, id="two say nothing of it"),
        pytest.param([0.5, 0.5, 0.5], 0.0, id="three that are alike"),
        pytest.param([9.0, 0.1, 0.2, 0.3, 0.4, 0.5], math.sqrt(0.02), id="the last five"),
    ],
)
def test_the_deviation_is_that_of_the_last_five_minutes(
    loads: list[float], deviation: float
) -> None:
    assert loads_of(*loads).deviation == pytest.approx(deviation)


def test_a_minute_that_comes_again_is_mended() -> None:
    loads = loads_of(0.2, 0.4, 0.6)
    loads.put(NOW + 60, 0.7)
    assert loads.expected == pytest.approx(0.5)


@given(st.permutations([0.1, 0.9, 0.4, 0.3, 0.8, 0.6]))
def test_minutes_out_of_order_are_put_in_order(arrival: list[float]) -> None:
    ends = {load: NOW + 60 * n for n, load in enumerate([0.1, 0.9, 0.4, 0.3, 0.8, 0.6])}
    loads = MinuteLoads()
    for load in arrival:
        loads.put(ends[load], load)
    assert loads.expected == pytest.approx((0.3 + 0.8 + 0.6) / 3)
    assert loads.deviation == loads_of(0.1, 0.9, 0.4, 0.3, 0.8, 0.6).deviation
