"""The operator's contract: slow-down between two limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.control.limits import SlowDownLimits

LIMITS = SlowDownLimits(lower=0.2, upper=0.8, max_concurrent_calls=60)


@pytest.mark.parametrize(
    ("level", "calls"),
    [
        pytest.param(0.0, 60, id="empty"),
        pytest.param(0.2, 60, id="at the lower limit"),
        pytest.param(0.2001, 59, id="just above the lower limit"),
        pytest.param(0.5, 30, id="half way"),
        pytest.param(0.7999, 1, id="just below the upper limit"),
        pytest.param(0.8, 0, id="at the upper limit"),
        pytest.param(1.7, 0, id="far above 100 %"),
    ],
)
def test_calls_at_a_time_by_level(level: float, calls: int) -> None:
    assert LIMITS.allowed(level) == calls


def test_a_single_call_is_allowed_all_the_way_up_to_the_upper_limit() -> None:
    one = SlowDownLimits(lower=0.2, upper=0.8, max_concurrent_calls=1)
    assert [one.allowed(level) for level in (0.0, 0.5, 0.79, 0.8)] == [1, 1, 1, 0]


@given(
    levels=st.tuples(st.floats(0, 2), st.floats(0, 2)),
    limits=st.tuples(st.floats(0, 0.99), st.floats(0.01, 1)).filter(lambda pair: pair[0] < pair[1]),
    calls=st.integers(1, 10_000),
)
def test_a_fuller_deployment_is_never_sent_more(
    levels: tuple[float, float], limits: tuple[float, float], calls: int
) -> None:
    lower, upper = limits
    made = SlowDownLimits(lower=lower, upper=upper, max_concurrent_calls=calls)
    low, high = sorted(levels)
    assert calls >= made.allowed(low) >= made.allowed(high) >= 0
