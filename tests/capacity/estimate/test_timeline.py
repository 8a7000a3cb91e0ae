"""The timeline: inflow by the time it speaks of, and the level played from it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.estimate.timeline import (
    KEEP_SECONDS,
    PLAYED_MINUTES_KEPT,
    Played,
    PlayedMinute,
    PlayedMinutes,
    Timeline,
)
from ptu_optimizer.capacity.signals.usage import WINDOW_SECONDS
from tests.support.signals import NOW

MINUTE = int(NOW // 60)


def played(
    timeline: Timeline,
    seconds: float,
    *,
    level: float = 0.0,
    start: float = NOW,
    drain: float = 1.0,
    known_until: float = math.inf,
    others: float = 0.0,
    gain: float = 1.0,
) -> Played:
    if known_until == math.inf:
        known_until = start + seconds + WINDOW_SECONDS
    return timeline.play(
        level,
        start,
        start + seconds,
        drain=drain,
        known_until=known_until,
        others=others,
        gain=gain,
    )


# --- what drains, and what comes in ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "seconds", "drain", "left"),
    [
        pytest.param(10.0, 4.0, 1.0, 6.0, id="a second of drain a second"),
        pytest.param(10.0, 4.0, 0.5, 8.0, id="a deployment that drains half of that"),
        pytest.param(3.0, 3.0, 1.0, 0.0, id="just empty"),
        pytest.param(3.0, 60.0, 1.0, 0.0, id="never below empty"),
        pytest.param(0.0, 60.0, 1.0, 0.0, id="empty stays empty"),
        pytest.param(10.0, 0.0, 1.0, 10.0, id="no time"),
        pytest.param(10.0, -5.0, 1.0, 10.0, id="time that goes back changes nothing"),
        pytest.param(10.0, 0.3, 1.0, 9.7, id="a part of a window"),
    ],
)
def test_without_inflow_the_bucket_drains(
    level: float, seconds: float, drain: float, left: float
) -> None:
    assert played(Timeline(), seconds, level=level, drain=drain).level == pytest.approx(left)


def test_what_we_send_comes_in_when_we_send_it_and_goes_out_when_it_is_corrected() -> None:
    timeline = Timeline()
    timeline.add_own(NOW + 1.0, 5.0)
    timeline.add_own(NOW + 3.0, -3.0)
    assert played(timeline, 0.9).level == 0
    assert played(timeline, 2.0).level == pytest.approx(4.0)
    assert played(timeline, 3.5).level == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("start", "level"),
    [
        pytest.param(NOW, 4.6, id="both after the start"),
        pytest.param(NOW + 0.15, 2.75, id="one before it, in the same window"),
        pytest.param(NOW + 0.3, 2.9, id="at the moment of the second"),
        pytest.param(NOW + 0.35, 0.0, id="both before it"),
    ],
)
def test_what_was_sent_before_the_start_is_in_the_level_already(start: float, level: float) -> None:
    timeline = Timeline()
    timeline.add_own(NOW + 0.1, 2.0)
    timeline.add_own(NOW + 0.3, 3.0)
    assert played(timeline, NOW + 0.4 - start, start=start).level == pytest.approx(level)


def test_others_count_by_what_is_known_and_after_that_by_their_load() -> None:
    timeline = Timeline()
    timeline.put("usage:gateway:1", NOW, 2.0, ours=False)
    timeline.put("usage:gateway:1", NOW + 1.0, 2.0, ours=False)
    known = played(timeline, 2.0, known_until=NOW + 2.0, others=5.0)
    assert known.level == pytest.approx(2.0), "two windows of two, and two seconds of drain"
    half = played(timeline, 3.0, known_until=NOW + 2.0, others=0.5)
    assert half.level == pytest.approx(1.5), "and half a second of load for the third second"


@pytest.mark.parametrize(
    ("known", "level"),
    [
        pytest.param(0.0, 10.25, id="nothing yet: as much as is usual"),
        pytest.param(0.2, 10.25, id="less than usual so far"),
        pytest.param(2.0, 11.75, id="more than usual already"),
    ],
)
def test_a_window_that_is_not_complete_has_at_least_what_is_known_of_it(
    known: float, level: float
) -> None:
    timeline = Timeline()
    timeline.put("usage:gateway:1", NOW, known, ours=False)
    found = played(timeline, WINDOW_SECONDS, level=10.25, known_until=NOW, others=1.0)
    assert found.level == pytest.approx(level)


def test_what_events_leave_out_is_added_by_their_gain_and_not_to_our_own() -> None:
    timeline = Timeline()
    timeline.put("usage:gateway:1", NOW, 2.0, ours=False)
    timeline.put("usage:there:1", NOW, 1.0, ours=True)
    assert played(timeline, WINDOW_SECONDS, gain=1.5).level == pytest.approx(4.0 - 0.5)


def test_of_the_window_that_the_start_lies_in_others_count_by_its_rest() -> None:
    timeline = Timeline()
    timeline.put("usage:gateway:1", NOW, 2.0, ours=False)
    rest = played(timeline, WINDOW_SECONDS / 2, start=NOW + WINDOW_SECONDS / 2, level=1.0)
    assert rest.level == pytest.approx(1.0 + 1.0 - WINDOW_SECONDS / 2)


def test_a_mean_rate_is_spread_over_the_windows_that_it_speaks_of() -> None:
    timeline = Timeline()
    timeline.spread_others(NOW, NOW + 60, 0.5)
    assert timeline.others_between(NOW, NOW + 60) == [0.25] * 120
    assert timeline.others_between(NOW + 60, NOW + 61) == [0.0, 0.0]


# --- records that come again, late, or in another order -------------------------------------------


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "the others'"])
def test_a_record_that_comes_again_replaces_what_it_said(ours: bool) -> None:
    timeline = Timeline()
    assert timeline.put("one", NOW, 2.0, ours=ours) == 2.0
    assert timeline.put("one", NOW, 2.0, ours=ours) == 0.0, "a duplicate"
    assert timeline.put("one", NOW, 3.0, ours=ours) == 1.0, "a fuller one"
    assert timeline.put("two", NOW, 0.5, ours=ours) == 0.5, "another source"
    assert played(timeline, WINDOW_SECONDS).level == pytest.approx(3.5 - WINDOW_SECONDS)


PUTS = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.integers(0, 10),
        st.integers(-2, 6).map(lambda eighths: eighths / 8),
    ),
    unique_by=lambda put: put[:2],
    max_size=12,
)


@given(puts=PUTS, again=st.data())
def test_the_order_of_arrival_and_repetitions_do_not_matter(
    puts: list[tuple[str, int, float]], again: st.DataObject
) -> None:
    in_order, as_came = Timeline(), Timeline()
    for record_id, number, amount in puts:
        in_order.put(record_id, NOW + number * WINDOW_SECONDS, amount, ours=False)
    came = again.draw(st.permutations(puts + puts[: len(puts) // 2]))
    for record_id, number, amount in came:
        as_came.put(record_id, NOW + number * WINDOW_SECONDS, amount, ours=False)
    assert played(as_came, 6.0) == played(in_order, 6.0)


# --- in the large ---------------------------------------------------------------------------------


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Twenty seconds of sends, corrections and others' windows."""
    timeline = Timeline()
    sends = st.lists(st.tuples(st.floats(0, 20), st.floats(-2, 3)), max_size=20)
    for after, amount in sorted(draw(sends)):
        timeline.add_own(NOW + after, amount)
    for number, amount in draw(st.dictionaries(st.integers(0, 40), st.floats(-1, 2))).items():
        timeline.put("one", NOW + number * WINDOW_SECONDS, amount, ours=False)
    return timeline


@given(
    timeline=timelines(),
    level=st.floats(0, 20),
    split=st.integers(1, 39),
    known=st.floats(-5, 25),
    drain=st.floats(0.3, 2),
    others=st.floats(0, 2),
    gain=st.floats(0.5, 4),
)
def test_played_in_one_piece_it_is_the_same_as_in_two(
    timeline: Timeline,
    level: float,
    split: int,
    known: float,
    drain: float,
    others: float,
    gain: float,
) -> None:
    """Cut between two windows, as the observer does."""

    def play(level: float, start: float, end: float) -> Played:
        return timeline.play(
            level,
            NOW + start,
            NOW + end,
            drain=drain,
            known_until=NOW + known,
            others=others,
            gain=gain,
        )

    cut = split * WINDOW_SECONDS
    whole, first = play(level, 0, 20), play(level, 0, cut)
    second = play(first.level, cut, 20)
    assert second.level == pytest.approx(whole.level)
    assert first.mean * cut + second.mean * (20 - cut) == pytest.approx(whole.mean * 20)
    assert min(first.lowest, second.lowest) == pytest.approx(whole.lowest)
    assert first.busy + second.busy == pytest.approx(whole.busy)


@given(
    timeline=timelines(),
    level=st.floats(0, 20),
    start=st.floats(0, 10),
    seconds=st.floats(0, 10),
    drain=st.floats(0.3, 2),
)
def test_the_level_is_never_negative_and_never_busier_than_its_time(
    timeline: Timeline, level: float, start: float, seconds: float, drain: float
) -> None:
    trajectory = played(timeline, seconds, level=level, start=NOW + start, drain=drain)
    assert trajectory.level >= 0
    assert 0 <= trajectory.lowest <= level
    assert trajectory.lowest <= trajectory.level
    assert trajectory.mean >= 0
    assert 0 <= trajectory.busy <= seconds + 1e-6, "to the precision of epoch seconds"


@pytest.mark.parametrize(
    ("level", "inflow", "busy"),
    [
        pytest.param(0.0, 0.0, 0.0, id="empty and idle"),
        pytest.param(1.5, 0.0, 1.5, id="until it ran empty"),
        pytest.param(99.0, 0.0, 10.0, id="all the time"),
        pytest.param(0.0, 0.25, 5.0, id="half of each window"),
    ],
)
def test_how_long_something_was_drained(level: float, inflow: float, busy: float) -> None:
    timeline = Timeline()
    for number in range(20):
        timeline.put("one", NOW + number * WINDOW_SECONDS, inflow, ours=False)
    assert played(timeline, 10.0, level=level).busy == pytest.approx(busy)


def test_what_nobody_will_ask_for_again_is_forgotten() -> None:
    timeline = Timeline()
    timeline.put("one", NOW, 5.0, ours=False)
    timeline.add_own(NOW, 5.0)
    timeline.forget(NOW + KEEP_SECONDS - 1)
    assert played(timeline, WINDOW_SECONDS).level == pytest.approx(10 - WINDOW_SECONDS)
    timeline.forget(NOW + KEEP_SECONDS + 61)
    assert played(timeline, WINDOW_SECONDS).level == 0
    assert timeline.put("one", NOW, 5.0, ours=False) == 5.0


# --- minute by minute -----------------------------------------------------------------------------


def test_a_minute_is_put_together_from_pieces() -> None:
    minutes = PlayedMinutes()
    assert minutes.of(MINUTE) is None, "not played is not empty"
    minutes.add(MINUTE, Played(level=2.0, mean=4.0, lowest=2.0, busy=15.0), seconds=15, drain=2.0)
    minutes.add(MINUTE, Played(level=0.0, mean=1.0, lowest=0.0, busy=30.0), seconds=45, drain=0.5)
    assert minutes.of(MINUTE) == PlayedMinute(mean=1.75, lowest=0.0, busy=0.75, drained=0.75)


def test_what_was_not_played_of_a_minute_counts_as_empty() -> None:
    minutes = PlayedMinutes()
    minutes.add(MINUTE, Played(level=6.0, mean=6.0, lowest=6.0, busy=30.0), seconds=30, drain=1.5)
    assert minutes.of(MINUTE) == PlayedMinute(mean=3.0, lowest=6.0, busy=0.5, drained=0.75)


def test_old_minutes_are_forgotten() -> None:
    minutes = PlayedMinutes()
    for number in range(100):
        minutes.add(MINUTE + number, Played(1.0, 1.0, 1.0, 60.0), seconds=60, drain=1.0)
    kept = [n for n in range(100) if minutes.of(MINUTE + n) is not None]
    assert kept == list(range(kept[0], 100))
    assert PLAYED_MINUTES_KEPT <= len(kept) <= 2 * PLAYED_MINUTES_KEPT
