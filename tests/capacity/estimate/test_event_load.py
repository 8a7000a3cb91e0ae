"""Usage events: whether they are alive, how late they are, and the load they tell of."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.estimate.event_load import (
    DOUBTFUL,
    EVENTS_SILENT_SECONDS,
    GAIN_RANGE,
    LAG_SECONDS,
    LEAST_LOAD,
    EventLoad,
)
from ptu_optimizer.capacity.estimate.timeline import Timeline
from ptu_optimizer.capacity.signals.usage import WINDOW_SECONDS
from tests.support.signals import NOW


def heard(*, age: float = 0.0) -> EventLoad:
    stream = EventLoad()
    stream.heard(NOW, until=NOW - age)
    stream.read(NOW)
    return stream


def loaded(load: float, *, seconds: float = 60.0) -> Timeline:
    """The same load for some time before NOW."""
    timeline = Timeline()
    for number in range(int(seconds / WINDOW_SECONDS)):
        start = NOW - seconds + number * WINDOW_SECONDS
        timeline.put("one", start, load * WINDOW_SECONDS, ours=False)
    return timeline


# --- whether they are alive -----------------------------------------------------------------------


def test_before_the_first_event_nothing_is_known() -> None:
    assert not EventLoad().alive(NOW)


@pytest.mark.parametrize(
    ("age", "alive"),
    [
        pytest.param(0.0, True, id="just heard"),
        pytest.param(EVENTS_SILENT_SECONDS, True, id="as long as clients may be silent"),
        pytest.param(EVENTS_SILENT_SECONDS + 0.001, False, id="stale"),
    ],
)
def test_silence_is_taken_for_silent_clients_for_a_while(age: float, alive: bool) -> None:
    assert heard(age=age).alive(NOW) is alive


def test_an_event_from_the_future_is_no_younger_than_now() -> None:
    stream = heard(age=-1_000)
    assert stream.until == NOW
    assert stream.horizon(NOW) == NOW


def test_records_out_of_order_do_not_turn_it_back() -> None:
    stream = heard(age=3)
    stream.heard(NOW, until=NOW - 90)
    assert stream.until == NOW - 3


# --- how late they are ----------------------------------------------------------------------------


def test_they_are_complete_as_late_as_they_came_lately() -> None:
    stream = EventLoad()
    for second, lag in enumerate([2.0, 2.9, 3.5, 2.2]):
        stream.heard(NOW + second, until=NOW + second - lag)
        stream.read(NOW + second)
    assert stream.horizon(NOW + 4) == NOW + 4 - 3.5


def test_how_late_they_were_long_ago_does_not_count_while_there_is_better() -> None:
    stream = heard(age=9)
    later = NOW + LAG_SECONDS + 1
    stream.heard(later, until=later - 2)
    stream.read(later)
    assert stream.horizon(later) == later - 2


def test_after_a_silence_they_are_taken_to_be_as_late_as_they_ever_were() -> None:
    assert heard(age=9).horizon(NOW + 100) == NOW + 91


def test_what_is_read_again_says_nothing_of_how_late_it_is() -> None:
    stream = heard(age=2)
    for second in range(1, 9):
        stream.heard(NOW + second, until=NOW - 2)
        stream.read(NOW + second)
    assert stream.horizon(NOW + 8) == NOW + 8 - 2


def test_history_that_is_read_at_once_counts_by_its_newest() -> None:
    stream = EventLoad()
    for age in range(120, 1, -1):
        stream.heard(NOW, until=NOW - age)
    stream.read(NOW)
    assert stream.horizon(NOW) == NOW - 2


# --- the load -------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [0.0, 0.4, 1.7])
def test_the_load_is_that_of_the_last_complete_block(load: float) -> None:
    stream = heard()
    stream.measure(loaded(load), horizon=NOW)
    assert stream.load == pytest.approx(load)


def test_a_load_is_never_negative_though_corrections_are() -> None:
    stream = heard()
    stream.measure(loaded(-0.4), horizon=NOW)
    assert stream.load == 0.0


def test_what_events_leave_out_is_added() -> None:
    stream = heard()
    stream.go_on_from(gain=2.0, until=0.0, bursts=())
    stream.measure(loaded(0.4), horizon=NOW)
    assert stream.load == pytest.approx(0.8)


def test_a_load_that_varies_has_bursts_and_one_that_does_not_has_none() -> None:
    timeline = Timeline()
    for second in range(60):
        start = NOW + 5 * second
        timeline.put("one", start, 5.0 if second % 2 else 0.0, ours=False)
    restless, calm = heard(), heard()
    for second in range(300):
        restless.measure(timeline, horizon=NOW + second)
        calm.measure(loaded(0.5, seconds=400), horizon=NOW - 300 + second)
    assert restless.bursts.deviation == pytest.approx(0.5, abs=0.02)
    assert calm.bursts.deviation == pytest.approx(0.0, abs=1e-6)


def test_a_block_counts_once_however_often_it_is_looked_at() -> None:
    often, once = heard(), heard()
    timeline = loaded(0.5)
    for tenth in range(300):
        often.measure(timeline, horizon=NOW - 30 + tenth / 10)
    for second in range(31):
        once.measure(timeline, horizon=NOW - 30 + second)
    assert often.bursts.mean == pytest.approx(once.bursts.mean)
    assert often.bursts.deviation == pytest.approx(once.bursts.deviation)


def test_a_time_in_which_nothing_was_read_is_not_taken_for_a_silent_one() -> None:
    stream = heard()
    for second in range(60):
        stream.measure(loaded(0.5, seconds=120), horizon=NOW - 60 + second)
    later = NOW + 3_600
    timeline = Timeline()
    for number in range(120):
        timeline.put("one", later + number * WINDOW_SECONDS, 0.25, ours=False)
    for second in range(10, 60):
        stream.measure(timeline, horizon=later + second)
    assert stream.bursts.deviation == pytest.approx(0.0, abs=0.05)


# --- held against the metric ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "metric", "gain"),
    [
        pytest.param(0.5, 0.5, 1.0, id="as the metric says"),
        pytest.param(0.25, 0.5, 2.0, id="half of it"),
        pytest.param(0.5, 0.45, 0.9, id="a little too much"),
        pytest.param(0.9, 0.1, GAIN_RANGE[0], id="far too much: within bounds"),
        pytest.param(DOUBTFUL * 0.5, 0.5, GAIN_RANGE[1], id="at the least that is believed"),
    ],
)
def test_their_gain_is_learned_over_some_minutes(told: float, metric: float, gain: float) -> None:
    stream = heard()
    stream.hold_against(told=told, metric=metric)
    assert stream.gain == pytest.approx(1 + 0.1 * (gain - 1)), "a tenth in the first minute"
    for _ in range(99):
        stream.hold_against(told=told, metric=metric)
    assert stream.gain == pytest.approx(gain, abs=0.01)


@pytest.mark.parametrize(
    ("told", "metric", "alive"),
    [
        pytest.param(0.0, 0.5, False, id="no events while there is work: they do not come"),
        pytest.param(0.01, 0.5, True, id="hardly any: it goes on"),
        pytest.param(0.0, LEAST_LOAD, True, id="nobody was there"),
        pytest.param(0.0, 0.0, True, id="idle"),
    ],
)
def test_the_metric_objects_to_a_stream_that_is_silent(
    told: float, metric: float, alive: bool
) -> None:
    stream = heard()
    stream.hold_against(told=told, metric=metric)
    assert stream.alive(NOW) is alive
    assert stream.gain == 1.0, "and nothing is learned from it"
    stream.heard(NOW, until=NOW)
    assert stream.alive(NOW), "the next event is believed again"


@pytest.mark.parametrize(
    ("told", "believed"), [(0.1, 0.5), (1.3, 1.3), (99.0, 4.0)], ids=["low", "within", "high"]
)
def test_a_gain_that_was_handed_over_is_kept_within_bounds(told: float, believed: float) -> None:
    stream = EventLoad()
    stream.go_on_from(gain=told, until=0.0, bursts=())
    assert stream.gain == believed


def test_a_successor_goes_on_where_another_process_was() -> None:
    before = heard(age=3)
    for load in [0.2, 1.4] * 30:
        before.bursts.add(load)
    stream = EventLoad()
    stream.go_on_from(gain=1.0, until=before.until, bursts=before.bursts.evidence)
    assert stream.alive(NOW)
    assert stream.until == NOW - 3
    assert stream.bursts.deviation == pytest.approx(0.6)
    stream.read(NOW)
    assert stream.horizon(NOW) == NOW, "what was read there says nothing of how late it comes here"


def test_a_stream_that_was_not_believed_is_not_by_a_successor() -> None:
    stream = EventLoad()
    stream.go_on_from(gain=1.0, until=0.0, bursts=())
    assert not stream.alive(NOW)


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 20)), max_size=40))
def test_the_horizon_never_lies_ahead(reads: list[tuple[float, float]]) -> None:
    stream, now = EventLoad(), NOW
    for pause, lag in reads:
        now += pause
        stream.heard(now, until=now - lag)
        stream.read(now)
        assert stream.horizon(now) <= now
        assert math.isfinite(stream.horizon(now))
