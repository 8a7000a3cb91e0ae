"""What calls cost, by minute: what is subtracted from the metric, and held against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.calibration.minute_costs import COST_MINUTES_KEPT, MinuteCosts
from ptu_optimizer.capacity.signals.minute import minute_number
from ptu_optimizer.capacity.signals.usage import UsageWindows
from tests.support.signals import NOW, RATE, THERE, usage

MINUTE = minute_number(NOW)


def count(costs: MinuteCosts, *records: UsageWindows, now: float = NOW + 30) -> None:
    for record in records:
        costs.count(record, work_per_second=RATE, now=now)


@pytest.mark.parametrize(
    ("after", "number"),
    [(0.0, 0), (59.999, 0), (60.0, 1), (-0.001, -1)],
    ids=["at its start", "just before its end", "at its end", "just before it"],
)
def test_a_call_costs_in_the_minute_in_which_it_ended(after: float, number: int) -> None:
    costs = MinuteCosts()
    costs.ended(NOW + after, 6.0)
    assert costs.own_minutes == ((MINUTE + number, 6.0),)
    assert costs.own_share(MINUTE + number) == pytest.approx(0.1)


def test_of_a_minute_of_which_nothing_is_known_nothing_is_subtracted() -> None:
    assert MinuteCosts().own_share(MINUTE) == 0.0
    assert MinuteCosts().told_share(MINUTE) == 0.0
    assert MinuteCosts().own_refused(MINUTE) == 0


def test_our_calls_here_and_elsewhere_are_ours_and_the_gateways_are_not() -> None:
    costs = MinuteCosts()
    costs.ended(NOW + 1, 6.0)
    count(costs, usage({}, used={NOW + 2: 12.0}, source=THERE), usage({}, used={NOW + 3: 30.0}))
    assert costs.own_share(MINUTE) == pytest.approx(0.3)
    assert costs.told_share(MINUTE) == pytest.approx(0.5)


def test_only_what_was_used_counts_not_what_was_reserved() -> None:
    costs = MinuteCosts()
    count(costs, usage({NOW: 99.0}, used={NOW: 6.0}))
    assert costs.told_share(MINUTE) == pytest.approx(0.1)


def test_refusals_of_our_calls_count_wherever_they_were_made() -> None:
    costs = MinuteCosts()
    costs.refused(NOW + 1)
    costs.refused(NOW + 2)
    count(costs, usage({}, refused={NOW + 3: 3}, source=THERE), usage({}, refused={NOW + 4: 9}))
    assert costs.own_refused(MINUTE) == 5
    assert costs.own_refused(MINUTE + 1) == 0


@pytest.mark.parametrize("source", [THERE, "gateway"])
def test_a_record_that_comes_again_replaces_what_it_said(source: str) -> None:
    costs = MinuteCosts()
    first = usage({}, used={NOW: 6.0}, refused={NOW: 2}, source=source)
    fuller = usage({}, used={NOW: 9.0, NOW + 1: 3.0}, refused={NOW: 3}, source=source)
    another = usage({}, used={NOW: 1.0}, source=source, record="2")
    count(costs, first, first, fuller, fuller, another)
    ours = source == THERE
    assert costs.own_share(MINUTE) == pytest.approx(13 / 60 if ours else 0.0)
    assert costs.told_share(MINUTE) == pytest.approx(0.0 if ours else 13 / 60)
    assert costs.own_refused(MINUTE) == (3 if ours else 0)


@given(st.permutations([(1, 6.0), (1, 6.0), (2, 3.0), (3, 1.0), (3, 1.0)]))
def test_order_and_repetitions_do_not_matter(arrival: list[tuple[int, float]]) -> None:
    costs = MinuteCosts()
    for number, used in arrival:
        count(costs, usage({}, used={NOW + number: used}, source=THERE, record=str(number)))
    assert costs.own_share(MINUTE) == pytest.approx(10 / 60)


def test_what_another_process_knew_is_taken_over_where_it_knew_more() -> None:
    costs = MinuteCosts()
    costs.ended(NOW, 6.0)
    costs.ended(NOW + 60, 6.0)
    costs.take_over([(MINUTE - 1, 3.0), (MINUTE, 9.0), (MINUTE + 1, 2.0)])
    assert costs.own_minutes == ((MINUTE - 1, 3.0), (MINUTE, 9.0), (MINUTE + 1, 6.0))


def test_what_was_taken_over_is_no_second_time_the_same_calls() -> None:
    """The one who told had read of ours as well; what becomes known later is in both."""
    costs = MinuteCosts()
    costs.take_over([(MINUTE, 9.0)])
    count(costs, usage({}, used={NOW: 7.0}, source=THERE))
    assert costs.own_share(MINUTE) == pytest.approx(9 / 60)
    count(costs, usage({}, used={NOW + 1: 7.0}, source=THERE, record="2"))
    assert costs.own_share(MINUTE) == pytest.approx(14 / 60)


def test_old_minutes_are_forgotten_and_a_successor_is_told_of_the_newest() -> None:
    costs = MinuteCosts()
    for number in range(1_000):
        at = NOW + 60 * number
        costs.ended(at, 6.0)
        costs.refused(at)
        count(costs, usage({}, used={at: 1.0}, record=str(number)), now=at)
    newest = MINUTE + 999
    assert costs.own_minutes == tuple((newest - n, 6.0) for n in reversed(range(COST_MINUTES_KEPT)))
    old = newest - 3 * COST_MINUTES_KEPT
    assert costs.own_share(old) == costs.told_share(old) == costs.own_refused(old) == 0
