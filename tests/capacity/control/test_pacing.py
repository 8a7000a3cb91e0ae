"""When the next call may go: how high the level may be, and a rate with debt."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.control.pacing import (
    CAUTION,
    CAUTION_HALVES_SECONDS,
    CAUTION_IN_REFUNDS,
    EVENTS_BURSTS,
    EVENTS_CALM,
    EVENTS_TARGET,
    HIGHEST_TARGET_SECONDS,
    LEAST_DEPTH_USED,
    MINUTES_MARGIN,
    MINUTES_SECONDS,
    MOST_CREDIT_SECONDS,
    OLD_TARGET_SECONDS,
    REFUND_SHARE,
    TARGET_SECONDS,
    TARGET_SHARE,
    Pace,
    Uncertainty,
    ceiling,
    rate_by_minutes,
    target,
)
from tests.support.signals import NOW

BY_HEADER = Uncertainty(by_events=False, at_admission=False, burst_deviation=0.0)

# --- the level that is aimed at -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by_events", "at_admission", "deviation", "aim"),
    [
        pytest.param(False, False, 9.9, TARGET_SECONDS, id="headers of the moment"),
        pytest.param(False, True, 9.9, OLD_TARGET_SECONDS, id="headers of seconds ago"),
        pytest.param(True, False, 0.0, EVENTS_TARGET[1], id="events, calm"),
        pytest.param(True, False, 0.4, EVENTS_CALM - EVENTS_BURSTS * 0.4, id="events, some bursts"),
        pytest.param(True, False, 9.9, EVENTS_TARGET[0], id="events, nothing but bursts"),
    ],
)
def test_the_worse_the_level_is_known_the_lower_is_the_aim(
    by_events: bool, at_admission: bool, deviation: float, aim: float
) -> None:
    known = Uncertainty(by_events=by_events, at_admission=at_admission, burst_deviation=deviation)
    assert target(known) == pytest.approx(aim)


@pytest.mark.parametrize(
    ("refunds", "highest"),
    [
        pytest.param(0.0, TARGET_SECONDS, id="nothing under way"),
        pytest.param(2.0, TARGET_SECONDS + 2.0 * REFUND_SHARE, id="a part of what will come back"),
        pytest.param(999.0, HIGHEST_TARGET_SECONDS, id="never more than that"),
    ],
)
def test_what_will_be_given_back_is_allowed_for_in_part(refunds: float, highest: float) -> None:
    assert ceiling(BY_HEADER, refunds=refunds) == pytest.approx(highest)


@pytest.mark.parametrize(
    ("ago", "less"),
    [
        pytest.param(0.0, 1.0, id="now"),
        pytest.param(CAUTION_HALVES_SECONDS, 0.5, id="a while ago: half of it"),
        pytest.param(9 * CAUTION_HALVES_SECONDS, 2**-9, id="long ago: next to nothing"),
        pytest.param(math.inf, 0.0, id="never"),
    ],
)
def test_after_others_were_refused_less_is_allowed_for_a_while(ago: float, less: float) -> None:
    known = replace(BY_HEADER, refused_ago=ago)
    aim = TARGET_SECONDS * (1 - CAUTION * less)
    assert ceiling(known, refunds=0.0) == pytest.approx(aim)
    refunds = REFUND_SHARE * (1 - CAUTION_IN_REFUNDS * less)
    assert ceiling(known, refunds=1.0) == pytest.approx(aim + refunds)


# --- the rate, where the newest knowledge is minutes old ------------------------------------------

AIM = TARGET_SHARE * LEAST_DEPTH_USED
"""The level that is aimed at while the others are calm and the depth is not known."""


def rate(
    *,
    level: float = AIM,
    drain: float = 1.0,
    others: float = 0.4,
    deviation: float = 0.0,
    age: float = 60.0,
    depth: float | None = None,
) -> float:
    return rate_by_minutes(
        level=level,
        drain=drain,
        others=others,
        deviation=deviation,
        age_seconds=age,
        depth_seconds=depth,
    )


def test_at_its_aim_it_is_what_the_others_leave_less_a_margin() -> None:
    assert rate() == pytest.approx(0.6 - MINUTES_MARGIN)


def test_an_error_of_the_level_is_worked_off_in_time() -> None:
    assert rate(level=AIM + 8) == pytest.approx(rate() - 8 / MINUTES_SECONDS)
    assert rate(level=0.0) == pytest.approx(rate() + AIM / MINUTES_SECONDS)


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param({"others": 1.0}, id="others fill it"),
        pytest.param({"others": 3.0}, id="others, in a burst"),
        pytest.param({"level": 99.0}, id="far too full"),
        pytest.param({"drain": 0.3}, id="it drains less than the others bring"),
    ],
)
def test_there_is_no_rate_below_nothing(worse: dict[str, float]) -> None:
    assert rate(**worse) == 0.0


def test_the_more_the_others_vary_and_the_older_the_minute_the_slower() -> None:
    calm, restless = rate(deviation=0.01), rate(deviation=0.1)
    older = rate(deviation=0.1, age=240.0)
    assert calm > restless > older
    assert rate(deviation=0.1, age=1.0) == restless, "no minute is younger than its length"


def test_a_deep_bucket_allows_more_and_an_unknown_one_as_little_as_a_shallow_one() -> None:
    uncertain = {"deviation": 0.05}
    assert rate(depth=60.0, **uncertain) > rate(depth=None, **uncertain)
    assert rate(depth=5.0, **uncertain) == rate(depth=None, **uncertain)
    assert rate(depth=1e9, **uncertain) == rate(depth=60.0, **uncertain)


@given(
    level=st.floats(0, 100),
    drain=st.floats(0.3, 2),
    others=st.floats(0, 5),
    deviation=st.floats(0, 2),
    age=st.floats(0, 600),
    depth=st.none() | st.floats(0, 1e4),
)
def test_a_rate_is_never_negative_nor_more_than_fills_what_is_left(
    level: float, drain: float, others: float, deviation: float, age: float, depth: float | None
) -> None:
    found = rate(level=level, drain=drain, others=others, deviation=deviation, age=age, depth=depth)
    assert 0.0 <= found <= drain + 6.0 / MINUTES_SECONDS


# --- a rate with debt -----------------------------------------------------------------------------


def test_who_may_go_goes_however_large_and_the_next_waits_until_that_is_paid() -> None:
    pace = Pace()
    pace.accrue(NOW, 0.5)
    assert pace.missing() == 0.0
    pace.spend(30.0)
    assert pace.missing() == pytest.approx(30.0)
    for second in range(1, 61):
        pace.accrue(NOW + second, 0.5)
    assert pace.missing() == 0.0


def test_nothing_is_saved_up() -> None:
    """Those who wait behind a large call would leave together."""
    pace = Pace()
    for second in range(100):
        pace.accrue(NOW + second, 1.0)
    pace.spend(1.0)
    assert pace.missing() == pytest.approx(1.0 - MOST_CREDIT_SECONDS)


def test_what_is_given_back_pays() -> None:
    pace = Pace()
    pace.accrue(NOW, 0.5)
    pace.spend(4.0)
    pace.spend(-3.0)
    assert pace.missing() == pytest.approx(1.0)


def test_after_a_pause_it_starts_afresh() -> None:
    """By headers calls are spent too, and no credit accrues: that is no debt of the rate."""
    pace = Pace()
    pace.accrue(NOW, 0.5)
    pace.spend(999.0)
    pace.accrue(NOW + 5.001, 0.5)
    assert pace.missing() == 0.0


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1), st.floats(0, 20)), max_size=40))
def test_no_more_passes_than_the_rate_allows_and_one_call(
    steps: list[tuple[float, float, float]],
) -> None:
    pace, now, allowed, passed = Pace(), NOW, 0.0, 0.0
    pace.accrue(now, 0.0)
    for seconds, rate, amount in steps:
        now += seconds
        allowed += rate * seconds
        pace.accrue(now, rate)
        if pace.missing() == 0.0:
            assert passed <= allowed + MOST_CREDIT_SECONDS + 1e-6
            pace.spend(amount)
            passed += amount
        else:
            assert math.isfinite(pace.missing())
