"""The leaky bucket: 100 % is R·W, it drains at R, and it is never below empty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.ptu.bucket import PtuBucket


def bucket_with(work: float) -> PtuBucket:
    """R = 100 a second, W = 10 s: full at 1,000."""
    bucket = PtuBucket(work_per_second=100.0, window_seconds=10.0)
    bucket.change(work)
    return bucket


@pytest.mark.parametrize(
    ("work", "full"),
    [
        pytest.param(0.0, False, id="empty"),
        pytest.param(999.999, False, id="just below the ceiling"),
        pytest.param(1_000.0, True, id="at the ceiling"),
        pytest.param(1_500.0, True, id="above the ceiling"),
    ],
)
def test_it_is_full_at_the_ceiling(work: float, full: bool) -> None:
    assert bucket_with(work).is_full() is full


@pytest.mark.parametrize(
    ("work", "milliseconds"),
    [
        pytest.param(999.9, 0, id="below the ceiling nobody waits"),
        pytest.param(1_000.0, 1, id="at the ceiling the next millisecond is below it"),
        pytest.param(1_000.05, 1, id="half a millisecond above"),
        pytest.param(1_100.0, 1_001, id="one second above"),
        pytest.param(2_000.0, 10_001, id="twice full"),
    ],
)
def test_retry_after_is_the_time_until_below_the_ceiling(work: float, milliseconds: int) -> None:
    assert bucket_with(work).retry_after_ms() == milliseconds


@given(excess=st.floats(0.0, 100_000.0), rate=st.floats(1.0, 10_000.0))
def test_after_retry_after_it_is_below_the_ceiling_and_a_millisecond_before_it_is_not(
    excess: float, rate: float
) -> None:
    bucket = PtuBucket(work_per_second=rate, window_seconds=10.0)
    bucket.change(bucket.full + excess)
    wait = bucket.retry_after_ms()
    assert bucket.level(wait / 1_000) < 1.0
    assert bucket.level((wait - 1) / 1_000) >= 1.0 - 1e-9


def test_it_drains_continuously_and_stops_at_empty() -> None:
    bucket = bucket_with(500.0)
    assert bucket.level(0.0) == 0.5
    assert bucket.level(2.5) == 0.25
    assert bucket.level(5.0) == 0.0
    assert bucket.level(500.0) == 0.0


def test_reading_the_level_changes_nothing() -> None:
    bucket = bucket_with(500.0)
    bucket.level(3.0)
    assert bucket.level(1.0) == 0.4


def test_a_refund_larger_than_what_is_left_gives_back_what_is_left() -> None:
    bucket = bucket_with(500.0)
    bucket.advance(4.0)
    assert bucket.change(-300.0) == -100.0
    assert bucket.work == 0.0


def test_a_larger_size_lowers_the_level_and_keeps_the_work() -> None:
    bucket = bucket_with(500.0)
    bucket.resize(work_per_second=200.0)
    assert (bucket.work, bucket.level(0.0)) == (500.0, 0.25)


def test_time_that_runs_backwards_is_refused() -> None:
    bucket = bucket_with(1.0)
    bucket.advance(2.0)
    with pytest.raises(ValueError, match="backwards"):
        bucket.advance(1.0)
    with pytest.raises(ValueError, match="backwards"):
        bucket.level(1.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_size_that_cannot_drain_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="work_per_second"):
        PtuBucket(work_per_second=rate, window_seconds=10.0)


@given(steps=st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(-2_000.0, 2_000.0)), max_size=60))
def test_work_is_conserved_and_the_level_is_never_negative(
    steps: list[tuple[float, float]],
) -> None:
    bucket = bucket_with(0.0)
    now = changed = 0.0
    for wait, work in steps:
        now += wait
        bucket.advance(now)
        changed += bucket.change(work)
        assert bucket.work >= 0.0
        assert bucket.level(now) >= 0.0
        assert bucket.work + bucket.drained == pytest.approx(changed, abs=1e-6)
        assert bucket.drained <= 100.0 * now + 1e-6
