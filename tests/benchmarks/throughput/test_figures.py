"""The arithmetic of the throughput figures."""

import pytest

from benchmarks.throughput.figures import Mark, Rounds, rate_between


def marks(*pairs: tuple[float, int]) -> list[Mark]:
    return [Mark(at, served) for at, served in pairs]


def test_a_rate_leaves_out_the_warm_up_and_the_end() -> None:
    slow_ends = marks((0, 0), (10, 10), (11, 50), (12, 90), (30, 100))
    assert rate_between(slow_ends, total=100) == pytest.approx(80 / 2)


def test_the_moment_a_share_was_reached_is_taken_between_two_marks() -> None:
    assert rate_between(marks((0, 0), (10, 100)), total=100) == pytest.approx(10)


def test_the_whole_run_starts_with_the_last_look_at_which_nothing_was_served() -> None:
    late_start = marks((0, 0), (5, 0), (6, 50), (7, 100))
    assert rate_between(late_start, total=100, low=0.0, high=1.0) == pytest.approx(50)


def test_a_run_that_was_under_way_at_the_first_look_starts_there() -> None:
    under_way = marks((3, 20), (7, 100))
    assert rate_between(under_way, total=100, low=0.0, high=1.0) == pytest.approx(25)


def test_what_went_on_after_the_total_does_not_count() -> None:
    longer = marks((0, 0), (10, 100), (11, 5_000))
    assert rate_between(longer, total=100) == pytest.approx(10)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(marks(), id="nothing looked at"),
        pytest.param(marks((0, 0), (60, 0)), id="nothing served"),
        pytest.param(marks((0, 0), (60, 89)), id="not enough served"),
    ],
)
def test_a_run_that_did_not_get_there_has_no_rate(seen: list[Mark]) -> None:
    with pytest.raises(ValueError, match="never served"):
        rate_between(seen, total=100)


def test_a_run_faster_than_the_looks_has_no_rate() -> None:
    with pytest.raises(ValueError, match="look more often"):
        rate_between(marks((0, 100)), total=100)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.9, 0.1), (-0.1, 1.0), (0.0, 1.1)])
def test_a_window_that_is_none_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="window"):
        rate_between(marks((0, 0), (1, 10)), total=10, low=low, high=high)


def test_one_disturbed_round_does_not_move_the_ratio() -> None:
    calm = Rounds(ours=(50.0, 50.0, 50.0), bare=(100.0, 100.0, 100.0))
    disturbed = Rounds(ours=(50.0, 5.0, 50.0), bare=(100.0, 100.0, 10.0))
    assert calm.ratio == disturbed.ratio == pytest.approx(0.5)
