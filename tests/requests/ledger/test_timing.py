"""The times that the ledger protocol stands on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.requests.ledger.timing import Timing

TIMING = Timing(
    call_limit=300, write_budget=30, skew=30, hold=30, invocation_budget=120, turn_wait=6_600
)


def test_a_lease_covers_the_call_its_writes_and_the_skew() -> None:
    assert TIMING.lease == 360


@pytest.mark.parametrize(
    ("call_limit", "least"),
    [
        pytest.param(300, 1.0, id="a second is enough to try"),
        pytest.param(2, 0.5, id="a quarter of a short limit"),
    ],
)
def test_with_less_than_this_left_no_call_is_started(call_limit: float, least: float) -> None:
    short = replace(TIMING, call_limit=call_limit)
    assert short.least_call == least


@pytest.mark.parametrize(
    ("deferrals", "seconds"),
    [
        pytest.param(0, 2, id="first"),
        pytest.param(1, 4, id="doubles"),
        pytest.param(3, 16, id="doubles again"),
        pytest.param(4, 30, id="capped at the hold budget"),
        pytest.param(10**9, 30, id="however often"),
    ],
)
def test_the_interval_between_deferrals(deferrals: int, seconds: float) -> None:
    assert TIMING.deferral_interval(deferrals) == seconds


@pytest.mark.parametrize(
    ("failures", "jitter", "seconds"),
    [
        pytest.param(0, 1.0, 1, id="first, all of it"),
        pytest.param(0, 0.0, 0.5, id="first, half of it"),
        pytest.param(3, 1.0, 8, id="doubled three times"),
        pytest.param(6, 1.0, 60, id="at most a minute"),
        pytest.param(10**9, 0.0, 30, id="however often"),
    ],
)
def test_the_pause_after_a_failure(failures: int, jitter: float, seconds: float) -> None:
    assert TIMING.failure_pause(failures, jitter) == seconds


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_pauses_grow_and_stay_bounded(failures: int, jitter: float) -> None:
    pause = TIMING.failure_pause(failures, jitter)
    assert 0 < pause <= TIMING.failure_pause(failures + 1, jitter) <= 60
    assert 0 < TIMING.deferral_interval(failures) <= TIMING.deferral_interval(failures + 1) <= 30
