"""The bucket's depth, where the metric is a level: known only when it can be told."""

from __future__ import annotations

import pytest

from ptu_optimizer.capacity.calibration.depth import LEAST_WEIGHT, BucketDepth


def depth_of(*minutes: tuple[float, float]) -> float | None:
    """Of minutes by the level that was played, in seconds of drain, and the one that was told."""
    made = BucketDepth()
    for seconds, level in minutes:
        made.observe(seconds=seconds, level=level)
    return made.seconds


@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param([], id="no minute"),
        pytest.param([(0.0, 0.0)] * 100, id="always empty"),
        pytest.param([(0.3, 0.005)] * 100, id="hardly ever anything in it"),
        pytest.param([(6.0, 0.99 * LEAST_WEIGHT**0.5)], id="just too little"),
    ],
)
def test_what_cannot_be_told_is_not_known(minutes: list[tuple[float, float]]) -> None:
    assert depth_of(*minutes) is None


@pytest.mark.parametrize("depth", [5.0, 10.0, 60.0, 120.0])
def test_it_is_the_played_level_over_the_told_one(depth: float) -> None:
    levels = (0.05, 0.1, 0.3, 0.08)
    assert depth_of(*((depth * level, level) for level in levels)) == pytest.approx(depth)


def test_what_was_seen_is_handed_on() -> None:
    seen, successor = BucketDepth(), BucketDepth()
    seen.observe(seconds=6.0, level=0.1)
    successor.go_on_from(seen.evidence)
    assert successor.seconds == seen.seconds == pytest.approx(60.0)
    successor.go_on_from(())
    assert successor.seconds == seen.seconds, "of another version: nothing is learned"


def test_full_minutes_count_for_more_than_those_that_are_mostly_noise() -> None:
    found = depth_of(*[(6.0, 0.1)] * 5, *[(0.0, 0.001), (3.0, 0.0)] * 5)
    assert found == pytest.approx(60.0, rel=0.02)


def test_a_deployment_that_was_resized_is_found_out_within_an_hour() -> None:
    assert depth_of(*[(6.0, 0.1)] * 100, *[(1.0, 0.1)] * 30) == pytest.approx(10.0, rel=0.6)
    assert depth_of(*[(6.0, 0.1)] * 100, *[(1.0, 0.1)] * 60) == pytest.approx(10.0, rel=0.1)
