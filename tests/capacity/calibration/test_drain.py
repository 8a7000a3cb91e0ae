"""What the deployment really drains is learned from its surprises, within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.calibration.drain import (
    BUSY_CORRECTION_SECONDS,
    DRAIN_RANGE,
    LEAST_ERROR_SECONDS,
    LEAST_REFUSAL_ERROR_SECONDS,
    Drain,
)


def test_at_first_the_settings_are_right() -> None:
    assert Drain().share == 1.0


@pytest.mark.parametrize(
    ("share", "believed"),
    [(0.0, 0.3), (0.3, 0.3), (0.7, 0.7), (2.0, 2.0), (99.0, 2.0)],
    ids=["nothing", "at the least", "between", "at the most", "far too much"],
)
def test_settings_are_not_wrong_by_more_than_so_much(share: float, believed: float) -> None:
    drain = Drain()
    drain.set(share)
    assert drain.share == believed


# --- from a metric that is a load -----------------------------------------------------------------


def test_what_takes_longer_than_the_settings_say_is_drained_more_slowly() -> None:
    """0.4 of a minute's work in a deployment of 0.8 of its size keeps it busy for half of it."""
    drain = Drain()
    for _ in range(60):
        assert drain.learn_from_load(0.5, drained=0.4) == 0.0
    assert drain.share == pytest.approx(0.8, abs=0.01)


def test_what_takes_less_time_is_drained_faster() -> None:
    drain = Drain()
    for _ in range(60):
        drain.learn_from_load(0.4, drained=0.6)
    assert drain.share == pytest.approx(1.5, abs=0.02)


def test_what_takes_as_long_as_the_settings_say_teaches_nothing() -> None:
    drain = Drain()
    for load in (0.2, 0.9, 0.5, 0.0):
        assert drain.learn_from_load(load, drained=load) == 0.0
    assert drain.share == pytest.approx(1.0)


def test_idle_minutes_teach_nothing() -> None:
    drain = Drain()
    for _ in range(10):
        drain.learn_from_load(0.0, drained=0.0)
    assert drain.share == 1.0


def test_always_busy_says_only_that_there_was_always_something_to_drain() -> None:
    drain = Drain()
    assert drain.learn_from_load(1.0, drained=0.6) == BUSY_CORRECTION_SECONDS
    assert drain.share == pytest.approx(0.99), "a little less, however little was played"


def test_what_is_learned_meanwhile_does_not_count_twice() -> None:
    """The metric is minutes late: minutes played with an older drain come after newer lessons."""
    drain = Drain()
    shares = []
    for _ in range(40):
        drain.learn_from_load(0.5, drained=0.7)
        shares.append(drain.share)
    assert max(shares) <= 1.4
    assert shares[-1] == pytest.approx(1.4)


# --- from a metric that is a level ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "played", "correction", "slower"),
    [
        pytest.param(3.0, 1.0, 2.0, True, id="fuller than played"),
        pytest.param(LEAST_ERROR_SECONDS, 0.0, 0.0, False, id="just no fuller"),
        pytest.param(1.0, 1.0, 0.0, False, id="as played"),
        pytest.param(1.0, 2.0, 0.0, False, id="emptier than played, not empty"),
    ],
)
def test_a_lowest_level_above_the_played_one_is_a_drain_believed_too_high(
    seen: float, played: float, correction: float, slower: bool
) -> None:
    drain = Drain()
    assert drain.learn_from_level(seen, played_lowest=played) == pytest.approx(correction)
    assert (drain.share < 1.0) is slower


def test_a_bucket_that_ran_empty_corrects_the_level_and_lets_the_drain_grow_back() -> None:
    drain = Drain()
    drain.set(0.8)
    assert drain.learn_from_level(0.0, played_lowest=2.0) == -2.0
    first = drain.share - 0.8
    assert first > 0
    drain.learn_from_level(0.0, played_lowest=0.0)
    assert drain.share - 0.8 > 2.5 * first, "by strides that grow"
    for _ in range(60):
        drain.learn_from_level(0.0, played_lowest=0.0)
    assert drain.share == 1.0, "and not above what the settings say: empty does not tell of more"


def test_after_a_surprise_the_strides_are_short_again() -> None:
    drain = Drain()
    drain.set(0.5)
    for _ in range(5):
        drain.learn_from_level(0.0, played_lowest=0.0)
    drain.learn_from_level(1.0, played_lowest=0.0)
    before = drain.share
    drain.learn_from_level(0.0, played_lowest=0.0)
    assert drain.share - before < 0.01


# --- from a 429 that nobody expected --------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "seconds", "less"),
    [
        pytest.param(LEAST_REFUSAL_ERROR_SECONDS, 60.0, 0.0, id="nearly full as played"),
        pytest.param(-3.0, 60.0, 0.0, id="fuller as played"),
        pytest.param(5.0, 60.0, 0.025, id="five seconds in a minute"),
        pytest.param(5.0, 1.0, 0.075, id="at once: as if in 20 s"),
        pytest.param(5.0, float("inf"), 0.0025, id="never full before: as if in ten minutes"),
        pytest.param(99.0, 1.0, 0.7, id="never below the least"),
    ],
)
def test_what_was_missing_has_not_been_drained_since_it_was_full_last(
    missing: float, seconds: float, less: float
) -> None:
    drain = Drain()
    drain.learn_from_refusal(missing, seconds=seconds)
    assert drain.share == pytest.approx(1.0 - less)


LESSONS = st.lists(
    st.tuples(st.sampled_from(["load", "level", "refusal"]), st.floats(0, 30), st.floats(0, 600)),
    max_size=30,
)


@given(LESSONS)
def test_whatever_is_learned_stays_within_bounds(lessons: list[tuple[str, float, float]]) -> None:
    drain = Drain()
    low, high = DRAIN_RANGE
    for kind, one, other in lessons:
        match kind:
            case "load":
                drain.learn_from_load(one / 10, drained=min(2.0, other))
            case "level":
                drain.learn_from_level(one, played_lowest=other)
            case "refusal":
                drain.learn_from_refusal(one, seconds=other)
        assert low <= drain.share <= high
