"""The gauge: which reading is believed, for how long, and what it says when there is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.gauge import FUTURE_TOLERANCE_SECONDS, Gauge
from ptu_optimizer.capacity.reading import Kind, Reading

NOW = 1_800_000_000.0
LIVE_TTL, METRIC_TTL = 15.0, 300.0


def gauge() -> Gauge:
    return Gauge(live_ttl_seconds=LIVE_TTL, metric_ttl_seconds=METRIC_TTL)


def reading(
    value: float, *, age: float = 0.0, kind: Kind = Kind.LEVEL, until: float | None = None
) -> Reading:
    return Reading(
        deployment="ptu",
        kind=kind,
        value=value,
        source=kind.value,
        observed_at=NOW - age,
        until=until,
    )


def metric(value: float, *, age: float) -> Reading:
    return reading(value, age=age, kind=Kind.UTILIZATION)


def throttled(*, age: float, until: float) -> Reading:
    return reading(1.0, age=age, kind=Kind.THROTTLED, until=until)


def gauge_of(*readings: Reading) -> Gauge:
    made = gauge()
    for one in readings:
        made.observe(one, now=NOW)
    return made


def test_no_reading_is_not_zero_percent() -> None:
    belief = gauge().belief(now=NOW)
    assert belief.value is None
    assert belief.fresh is False
    assert belief.source == "none"
    assert belief.age == math.inf
    assert gauge().newest() is None


@pytest.mark.parametrize(
    ("one", "fresh"),
    [
        pytest.param(reading(0.5), True, id="just read"),
        pytest.param(reading(0.5, age=LIVE_TTL), True, id="live, at the end of its time"),
        pytest.param(reading(0.5, age=LIVE_TTL + 0.001), False, id="live, just stale"),
        pytest.param(metric(0.5, age=METRIC_TTL), True, id="metric, at the end of its time"),
        pytest.param(metric(0.5, age=METRIC_TTL + 0.001), False, id="metric, just stale"),
    ],
)
def test_a_reading_is_acted_upon_for_as_long_as_its_kind_is_worth(
    one: Reading, fresh: bool
) -> None:
    belief = gauge_of(one).belief(now=NOW)
    assert belief.fresh is fresh
    assert (belief.value, belief.source) == (0.5, one.kind.value), "stale or not, it says what"
    assert belief.age == pytest.approx(NOW - one.observed_at)


def test_a_fresh_live_reading_wins_over_a_metric_however_late_that_came() -> None:
    belief = gauge_of(reading(0.3, age=10), metric(0.9, age=5)).belief(now=NOW)
    assert (belief.value, belief.source) == (0.3, "level")


def test_a_metric_takes_over_when_the_live_reading_is_stale() -> None:
    belief = gauge_of(reading(0.3, age=16), metric(0.9, age=90)).belief(now=NOW)
    assert (belief.value, belief.source, belief.fresh) == (0.9, "utilization", True)


@pytest.mark.parametrize(
    ("ahead", "taken"),
    [
        pytest.param(FUTURE_TOLERANCE_SECONDS, True, id="as far ahead as clocks may differ"),
        pytest.param(FUTURE_TOLERANCE_SECONDS + 0.001, False, id="further ahead"),
        pytest.param(1e9, False, id="decades ahead"),
    ],
)
def test_a_reading_from_the_future_is_not_believed(ahead: float, taken: bool) -> None:
    made = gauge()
    assert made.observe(reading(0.5, age=-ahead), now=NOW) is taken
    assert (made.newest() is not None) is taken


def test_a_reading_from_slightly_ahead_has_no_negative_age() -> None:
    assert gauge_of(reading(0.5, age=-3)).belief(now=NOW).age == 0


@pytest.mark.parametrize("late", [0.0, 1.0], ids=["the same again", "an older one, late"])
def test_readings_out_of_order_do_not_turn_the_belief_back(late: float) -> None:
    made = gauge_of(reading(0.6, age=2))
    assert made.observe(reading(0.1, age=2 + late), now=NOW) is False
    assert made.belief(now=NOW).value == 0.6


@given(ages=st.lists(st.integers(min_value=0, max_value=14), min_size=1))
def test_the_order_of_arrival_does_not_matter(ages: list[int]) -> None:
    in_order = gauge_of(*(reading(age, age=age) for age in sorted(ages)))
    as_came = gauge_of(*(reading(age, age=age) for age in ages))
    assert as_came.belief(now=NOW) == in_order.belief(now=NOW)


def test_a_429_closes_until_the_time_it_names() -> None:
    assert gauge().closed_until() == 0
    assert gauge_of(throttled(age=1, until=NOW + 4)).closed_until() == NOW + 4


def test_a_429_without_a_time_closes_nothing() -> None:
    assert gauge_of(reading(1.0, kind=Kind.THROTTLED)).closed_until() == 0


def test_after_a_429_nothing_older_is_believed() -> None:
    made = gauge_of(reading(0.1, age=3), metric(0.1, age=60), throttled(age=2, until=NOW - 1))
    belief = made.belief(now=NOW)
    assert belief.fresh is False
    assert (belief.value, belief.source) == (1.0, "throttled")


def test_after_a_429_a_newer_level_is_believed_again() -> None:
    made = gauge_of(throttled(age=3, until=NOW - 2), reading(0.4, age=1))
    assert (made.belief(now=NOW).value, made.belief(now=NOW).fresh) == (0.4, True)


def test_a_level_of_the_same_moment_as_a_429_is_not_newer() -> None:
    made = gauge_of(throttled(age=3, until=NOW - 2), reading(0.4, age=3))
    assert made.belief(now=NOW).fresh is False


def test_an_older_429_does_not_replace_a_newer_one() -> None:
    made = gauge_of(throttled(age=1, until=NOW + 1), throttled(age=5, until=NOW + 60))
    assert made.closed_until() == NOW + 1


def test_the_newest_of_all_kinds_is_what_other_processes_get() -> None:
    newest = gauge_of(metric(0.2, age=60), reading(0.4, age=1), throttled(age=9, until=NOW))
    found = newest.newest()
    assert found is not None
    assert found.kind is Kind.LEVEL
