"""Whether the utilization metric is a level or a load is learned; both are coped with."""

from __future__ import annotations

import pytest

from ptu_optimizer.capacity.calibration.metric_meaning import (
    CERTAIN,
    LEAST_BUSY,
    LIKE_LOAD,
    MOST,
    UNLIKE_LOAD,
    MetricMeaning,
)
from ptu_optimizer.capacity.signals.minute import Meaning


def meaning_of(*minutes: tuple[float, float]) -> Meaning:
    """Of minutes by what the metric told and which share of them was busy."""
    made = MetricMeaning()
    for utilization, busy in minutes:
        made.observe(utilization=utilization, busy=busy)
    return made.meaning


def test_at_first_it_is_not_known() -> None:
    assert MetricMeaning().meaning is Meaning.UNKNOWN


@pytest.mark.parametrize(
    ("utilization", "busy", "meaning"),
    [
        pytest.param(0.9, 0.9, Meaning.LOAD, id="as busy as played: a load"),
        pytest.param(0.9 * LIKE_LOAD + 0.001, 0.9, Meaning.LOAD, id="just like a load"),
        pytest.param(0.9 * LIKE_LOAD - 0.001, 0.9, Meaning.UNKNOWN, id="just unlike a load"),
        pytest.param(0.7, 1.0, Meaning.LOAD, id="a load of settings that are 30 % too low"),
        pytest.param(0.5 / LIKE_LOAD - 0.001, 0.5, Meaning.LOAD, id="just like a longer load"),
        pytest.param(0.5 / LIKE_LOAD + 0.001, 0.5, Meaning.UNKNOWN, id="too long for a load"),
        pytest.param(1.0, 1.0, Meaning.LOAD, id="always busy"),
        pytest.param(0.9 * UNLIKE_LOAD + 0.001, 0.9, Meaning.UNKNOWN, id="not yet a level"),
        pytest.param(0.9 * UNLIKE_LOAD - 0.001, 0.9, Meaning.LEVEL, id="just a level"),
        pytest.param(0.05, 0.9, Meaning.LEVEL, id="busy and nearly empty: a level"),
        pytest.param(0.0, 0.9, Meaning.LEVEL, id="busy and empty"),
        pytest.param(1.3, 0.9, Meaning.UNKNOWN, id="over 100 %, and fuller than played"),
        pytest.param(0.0, LEAST_BUSY - 0.001, Meaning.UNKNOWN, id="too quiet to tell"),
        pytest.param(0.0, 0.0, Meaning.UNKNOWN, id="idle: both are zero"),
    ],
)
def test_a_load_is_the_busy_share_and_a_level_is_far_below_it(
    utilization: float, busy: float, meaning: Meaning
) -> None:
    assert meaning_of(*[(utilization, busy)] * MOST) is meaning


@pytest.mark.parametrize(
    ("minutes", "meaning"),
    [
        pytest.param([(0.9, 0.9)] * (CERTAIN - 1), Meaning.UNKNOWN, id="too few for a load"),
        pytest.param([(0.9, 0.9)] * CERTAIN, Meaning.LOAD, id="enough for a load"),
        pytest.param([(0.1, 0.9)], Meaning.UNKNOWN, id="too few for a level"),
        pytest.param([(0.1, 0.9)] * 2, Meaning.LEVEL, id="enough for a level"),
        pytest.param([(0.9, 0.9), (0.1, 0.9)] * 9, Meaning.LEVEL, id="both: it was a high level"),
    ],
)
def test_some_minutes_decide(minutes: list[tuple[float, float]], meaning: Meaning) -> None:
    assert meaning_of(*minutes) is meaning


def test_what_is_known_stays_until_the_contrary_is() -> None:
    load, level, quiet = (0.9, 0.9), (0.1, 0.9), (0.0, 0.1)
    assert meaning_of(*[load] * 100, *[quiet] * 100) is Meaning.LOAD
    assert meaning_of(*[load] * 100, *[level] * 5) is Meaning.LOAD
    assert meaning_of(*[load] * 100, *[level] * 6) is Meaning.LEVEL, "a service may change"
    assert meaning_of(*[level] * 100, *[load] * (MOST + CERTAIN)) is Meaning.LOAD
