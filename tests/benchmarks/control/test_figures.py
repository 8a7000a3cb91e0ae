"""The figures of a row, by hand."""

from dataclasses import replace

import pytest

from benchmarks.control.baseline import Baseline
from benchmarks.control.figures import Outcome, figures

ALONE = Baseline(
    calls=1_000,
    accepted=[],
    seconds=100.0,
    capacity=10_000.0,
    accepted_work=6_000.0,
    refused_at=[1.0, 2.0],
    work_at_end=100.0,
)
"""R = 100, T = 100: 40 % idle."""

PERFECT = Outcome(
    batch_work=4_000.0,
    refused=2,
    batch_429=0,
    drained=10_000.0,
    work_at_end=100.0,
)


def test_who_fills_all_that_is_idle_has_a_ratio_of_one() -> None:
    found = figures(PERFECT, ALONE)
    assert found.idle_alone == pytest.approx(0.4)
    assert found.batch_share == pytest.approx(0.4)
    assert found.ratio == pytest.approx(1.0)
    assert found.idle_share == pytest.approx(0.0)


def test_what_lies_in_the_bucket_at_the_end_was_not_had_yet() -> None:
    owing = replace(PERFECT, work_at_end=500.0)
    assert figures(owing, ALONE).ratio == pytest.approx((0.4 - 0.04) / 0.4)


def test_only_refusals_beyond_those_without_batch_count() -> None:
    assert figures(PERFECT, ALONE).extra_refused_share == 0
    harmful = figures(replace(PERFECT, refused=12), ALONE)
    assert harmful.extra_refused_share == pytest.approx(0.01)
    assert (harmful.refused, harmful.baseline_refused) == (12, 2)


def test_what_was_drained_by_nobody_is_idle() -> None:
    lazy = replace(PERFECT, batch_work=1_000.0, drained=7_000.0)
    found = figures(lazy, ALONE)
    assert found.idle_share == pytest.approx(0.3)
    assert found.ratio == pytest.approx(0.25)


def test_nothing_idle_has_no_part_that_could_be_filled() -> None:
    with pytest.raises(ValueError, match="nothing to fill"):
        figures(PERFECT, replace(ALONE, accepted_work=10_001.0))
