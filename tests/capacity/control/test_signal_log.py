"""The gauge: which signals are believed, and where a belief comes from."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.control.signal_log import (
    FUTURE_TOLERANCE_SECONDS,
    HIGHEST_LEVEL,
    MOST_SOURCES,
    SignalLog,
)
from ptu_optimizer.capacity.estimate.belief import Basis
from ptu_optimizer.capacity.signals.reading import Reading
from tests.support.alerts import fired_alert
from tests.support.signals import HERE, NOW, THERE, level, minute, throttled, usage


def gauge_of(*readings: Reading) -> SignalLog:
    gauge = SignalLog()
    for reading in readings:
        gauge.take(reading, now=NOW)
    return gauge


# --- what is believed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "believed"),
    [
        pytest.param(level(0.0), True, id="empty"),
        pytest.param(level(1.0), True, id="full"),
        pytest.param(level(1.8), True, id="over 100 %, as a burst takes it"),
        pytest.param(level(HIGHEST_LEVEL), True, id="as high as can be"),
        pytest.param(level(HIGHEST_LEVEL + 0.01), False, id="a percentage taken for a share"),
        pytest.param(level(0.5, at=NOW - 9e6), True, id="old: its age is another's business"),
        pytest.param(
            level(0.5, at=NOW + FUTURE_TOLERANCE_SECONDS), True, id="as far ahead as clocks differ"
        ),
        pytest.param(
            level(0.5, at=NOW + FUTURE_TOLERANCE_SECONDS + 0.001), False, id="from the future"
        ),
        pytest.param(throttled(at=NOW + 1e9, until=NOW + 2e9), False, id="a 429 of the future"),
        pytest.param(throttled(until=NOW + 5), True, id="a 429"),
    ],
)
def test_what_is_to_be_believed(reading: Reading, believed: bool) -> None:
    gauge = SignalLog()
    assert gauge.take(reading, now=NOW) is believed
    assert bool(gauge.provenance(Basis.NOTHING)) is believed


@pytest.mark.parametrize(
    ("second", "believed"),
    [
        pytest.param(level(0.9, at=NOW - 2), False, id="the same again"),
        pytest.param(level(0.9, at=NOW - 3), False, id="an older one, late"),
        pytest.param(level(0.9, at=NOW - 1), True, id="a newer one"),
        pytest.param(level(0.9, at=NOW - 3, source=THERE), True, id="an older one of another"),
        pytest.param(throttled(at=NOW - 3, until=NOW), True, id="another kind"),
    ],
)
def test_of_one_source_nothing_is_believed_that_is_not_newer(
    second: Reading, believed: bool
) -> None:
    gauge = gauge_of(level(0.1, at=NOW - 2))
    assert gauge.take(second, now=NOW) is believed


@given(st.lists(st.integers(0, 20), min_size=1))
def test_out_of_order_the_newest_stays(ages: list[int]) -> None:
    gauge = gauge_of(*(level(age / 100, at=NOW - age) for age in ages))
    (only,) = gauge.provenance(Basis.HEADER)
    assert (only.observed_at, only.value) == (NOW - min(ages), min(ages) / 100)


@pytest.mark.parametrize(
    ("ahead", "believed"),
    [
        (-90.0, True),
        (FUTURE_TOLERANCE_SECONDS, True),
        (FUTURE_TOLERANCE_SECONDS + 0.001, False),
        (1e9, False),
    ],
    ids=["over", "as far ahead as clocks differ", "not over yet", "decades ahead"],
)
def test_a_minute_that_is_not_over_is_not_believed(ahead: float, believed: bool) -> None:
    gauge = SignalLog()
    assert gauge.take_minute(minute(NOW + ahead, utilization=0.5), now=NOW) is believed
    assert bool(gauge.provenance(Basis.METRIC)) is believed


def test_a_minute_that_comes_again_is_believed_in_case_it_was_mended() -> None:
    gauge = SignalLog()
    for utilization in (0.5, 0.6):
        assert gauge.take_minute(minute(utilization=utilization), now=NOW)
    assert gauge.take_minute(minute(NOW - 60, utilization=0.9), now=NOW), "an older one, mended"
    (only,) = gauge.provenance(Basis.METRIC)
    assert (only.value, only.observed_at) == (0.6, NOW)


# --- where a belief comes from -------------------------------------------------------------------


def everything() -> SignalLog:
    gauge = gauge_of(
        level(0.3, at=NOW - 4), level(0.2, at=NOW - 9, source=THERE), throttled(at=NOW - 30)
    )
    gauge.take_minute(minute(NOW - 90, utilization=0.6), now=NOW)
    gauge.usage(usage({NOW - 3: 1.0, NOW - 2.5: 1.0}), NOW)
    gauge.usage(usage({NOW - 8: 1.0}, source=THERE), NOW)
    gauge.alert(fired_alert(observed_at=NOW - 60, value=0.93))
    return gauge


def test_every_signal_is_shown_newest_first_with_its_value_and_its_time() -> None:
    shown = [(one.kind, one.source, one.value) for one in everything().provenance(Basis.HEADER)]
    assert shown == [
        ("usage", "gateway", None),
        ("level", HERE, 0.3),
        ("sends", THERE, None),
        ("level", THERE, 0.2),
        ("throttled", HERE, 1.0),
        ("alert", "ptu-is-full", 0.93),
        ("minute", "azure monitor", 0.6),
    ]


@pytest.mark.parametrize(
    ("basis", "kinds"),
    [
        (Basis.HEADER, {"level"}),
        (Basis.EVENTS, {"usage"}),
        (Basis.METRIC, {"minute"}),
        (Basis.NOTHING, set()),
    ],
)
def test_what_the_belief_rests_on_weighs_one_and_all_else_nothing(
    basis: Basis, kinds: set[str]
) -> None:
    shown = everything().provenance(basis)
    assert {one.kind for one in shown if one.weight == 1.0} == kinds
    assert {one.weight for one in shown if one.kind not in kinds} == {0.0}


@pytest.mark.parametrize(
    ("signal", "known"),
    [
        pytest.param("nothing", False, id="nothing"),
        pytest.param("sends", False, id="what we sent ourselves"),
        pytest.param("alert", False, id="an alert, which may tell of another metric"),
        pytest.param("level", True, id="a level"),
        pytest.param("throttled", True, id="a 429"),
        pytest.param("usage", True, id="usage events"),
        pytest.param("minute", True, id="a minute of the metric"),
    ],
)
def test_when_a_signal_was_true_that_tells_the_level(signal: str, known: bool) -> None:
    gauge = SignalLog()
    match signal:
        case "sends":
            gauge.usage(usage({NOW - 7.5: 1.0}, source=THERE), NOW)
        case "alert":
            gauge.alert(fired_alert(observed_at=NOW - 7))
        case "level":
            gauge.take(level(0.5, at=NOW - 7), now=NOW)
        case "throttled":
            gauge.take(throttled(at=NOW - 7), now=NOW)
        case "usage":
            gauge.usage(usage({NOW - 7.5: 1.0}), NOW)
        case "minute":
            gauge.take_minute(minute(NOW - 7), now=NOW)
    assert gauge.newest() == (NOW - 7 if known else -math.inf)


def test_a_window_that_is_not_over_is_of_now_and_a_record_of_none_says_nothing() -> None:
    gauge = SignalLog()
    gauge.usage(usage({}), NOW)
    assert gauge.provenance(Basis.EVENTS) == ()
    gauge.usage(usage({NOW: 1.0}), NOW + 0.1)
    assert gauge.newest() == NOW + 0.1


def test_of_many_sources_the_newest_are_kept() -> None:
    """Each process is one, and processes come and go."""
    gauge = gauge_of(*(level(0.5, at=NOW - age, source=f"w{age}") for age in range(200)))
    sources = [one.source for one in gauge.provenance(Basis.HEADER)]
    assert sources == [f"w{age}" for age in range(MOST_SOURCES)]
