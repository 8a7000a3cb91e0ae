"""Whether a header tells of its call's admission or of its end is learned from what is seen."""

from __future__ import annotations

import random

import pytest

from ptu_optimizer.capacity.calibration.header_timing import LEAST_PAIRS, HeaderTiming
from tests.support.signals import NOW


def calls(timing: HeaderTiming, count: int, *, at_admission: bool, seed: int = 1) -> None:
    """Calls of a quarter to five seconds, at a deployment whose level wanders."""
    chance = random.Random(seed)
    level, levels = 0.3, []
    for _ in range(count * 10 + 100):
        level = min(1.0, max(0.0, level + chance.gauss(0, 0.06)))
        levels.append(level)
    ends = []
    for number in range(count):
        start = number * 5 + chance.randrange(5)
        ends.append((start + chance.randrange(3, 50), start))
    for end, start in sorted(ends):
        value = levels[start if at_admission else end] + chance.gauss(0, 0.01)
        timing.observe(started=NOW + start / 10, ended=NOW + end / 10, value=max(0.0, value))


def test_at_first_it_is_taken_for_the_end() -> None:
    assert not HeaderTiming().at_admission


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("at_admission", [True, False], ids=["admission", "end"])
def test_it_is_learned_from_calls_that_start_or_end_together(at_admission: bool, seed: int) -> None:
    timing = HeaderTiming()
    calls(timing, 400, at_admission=at_admission, seed=seed)
    assert timing.at_admission is at_admission


@pytest.mark.parametrize("first", [True, False], ids=["to the end", "to admission"])
def test_a_service_that_changes_is_noticed(first: bool) -> None:
    timing = HeaderTiming()
    calls(timing, 400, at_admission=first)
    calls(timing, 1_500, at_admission=not first, seed=2)
    assert timing.at_admission is not first


@pytest.mark.parametrize(
    ("pairs", "decided"),
    [
        pytest.param(int(LEAST_PAIRS), False, id="too few: they are forgotten a little"),
        pytest.param(int(LEAST_PAIRS) + 1, True, id="enough"),
    ],
)
def test_few_pairs_decide_nothing(pairs: int, decided: bool) -> None:
    """Calls that start together are alike, those that end together are not: as at admission."""
    timing = HeaderTiming()
    for number in range(pairs):
        at = NOW + 100 * number
        for start, end, value in [(0, 1, 0.5), (0, 5, 0.5), (20, 25, 0.1), (22, 25, 0.9)]:
            timing.observe(started=at + start, ended=at + end, value=value)
    assert timing.at_admission is decided


def test_calls_that_take_alike_long_say_nothing() -> None:
    timing = HeaderTiming()
    for number in range(1_000):
        timing.observe(started=NOW + number / 10, ended=NOW + number / 10 + 2, value=number % 7 / 7)
    assert not timing.at_admission


def test_a_level_that_never_moves_says_nothing() -> None:
    timing = HeaderTiming()
    calls(timing, 400, at_admission=True)
    for number in range(2_000):
        at = NOW + 1_000 + number / 5
        timing.observe(started=at - number % 7, ended=at, value=0.0)
    assert timing.at_admission, "what was learned stays"
