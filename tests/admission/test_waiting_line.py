"""The line at a gate: first come, first served; same prefixes together; who overtakes first."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from ptu_optimizer.admission.waiting_line import LONGEST_RUN, WaitingLine


@dataclass(eq=False, slots=True, weakref_slot=True)
class Someone:
    name: str
    prefix: str | None = None
    gone: bool = False


def line_of(*waiting: Someone, ahead: Iterable[Someone] = ()) -> WaitingLine[Someone]:
    line: WaitingLine[Someone] = WaitingLine()
    for one in waiting:
        line.join(one, overtakes=False)
    for one in ahead:
        line.join(one, overtakes=True)
    return line


def pass_one(line: WaitingLine[Someone]) -> str:
    one = line.first()
    assert one is not None
    one.gone = True
    line.passed(one)
    return one.name


def pass_all(line: WaitingLine[Someone]) -> list[str]:
    names = []
    while line:
        names.append(pass_one(line))
    return names


def some(name: str, count: int, *, prefix: str | None = None) -> list[Someone]:
    return [Someone(f"{name}{number}", prefix) for number in range(count)]


def test_nobody_is_first_in_an_empty_line() -> None:
    line = line_of()
    assert line.first() is None
    assert not line
    assert not line.overtaking


def test_first_come_first_served() -> None:
    assert pass_all(line_of(*some("a", 5))) == ["a0", "a1", "a2", "a3", "a4"]


def test_who_is_first_stays_first_until_it_is_gone() -> None:
    first, second = some("a", 2)
    line = line_of(first, second)
    assert line.first() is first
    assert line.first() is first
    first.gone = True
    assert line.first() is second


def test_who_does_not_wait_any_more_is_skipped() -> None:
    a, b, c, d = some("a", 4)
    line = line_of(a, b, c, d)
    a.gone = c.gone = True
    assert pass_all(line) == ["a1", "a3"]


def test_a_line_in_which_all_are_gone_is_empty() -> None:
    waiting, ahead = some("p", 3, prefix="p"), some("soon", 2)
    line = line_of(*waiting, ahead=ahead)
    for one in (*waiting, *ahead):
        one.gone = True
    assert line.first() is None
    assert not line
    assert not line.overtaking


# --- who overtakes --------------------------------------------------------------------------------


def test_who_overtakes_is_first_and_keeps_order_among_equals() -> None:
    line = line_of(*some("bulk", 2), ahead=some("soon", 2))
    passed = [(line.overtaking, pass_one(line)) for _ in range(4)]
    assert passed == [(True, "soon0"), (True, "soon1"), (False, "bulk0"), (False, "bulk1")]


def test_who_overtakes_passes_before_the_prefix_that_is_on_its_way() -> None:
    line = line_of(*some("p", 3, prefix="p"))
    assert pass_one(line) == "p0"
    line.join(Someone("soon"), overtakes=True)
    assert pass_all(line) == ["soon", "p1", "p2"]


def test_who_overtakes_and_is_gone_is_skipped() -> None:
    gone, soon = some("soon", 2)
    line = line_of(Someone("bulk"), ahead=[gone, soon])
    gone.gone = True
    assert pass_one(line) == "soon1"
    assert not line.overtaking


def test_those_alike_follow_who_overtook() -> None:
    line = line_of(
        Someone("q", "q"), Someone("p", "p"), Someone("none"), ahead=[Someone("soon", "p")]
    )
    assert pass_all(line) == ["soon", "p", "q", "none"]


# --- same prefixes --------------------------------------------------------------------------------


def test_the_same_prefix_goes_together() -> None:
    line = line_of(
        Someone("p0", "p"),
        Someone("q0", "q"),
        Someone("p1", "p"),
        Someone("none"),
        Someone("q1", "q"),
    )
    assert pass_all(line) == ["p0", "p1", "q0", "q1", "none"]


def test_having_no_prefix_is_nothing_in_common() -> None:
    line = line_of(Someone("none0"), Someone("p0", "p"), Someone("none1"), Someone("p1", "p"))
    assert pass_all(line) == ["none0", "p0", "p1", "none1"]


def test_who_comes_later_joins_the_prefix_that_is_on_its_way() -> None:
    line = line_of(Someone("p0", "p"), Someone("q0", "q"))
    assert pass_one(line) == "p0"
    line.join(Someone("p1", "p"), overtakes=False)
    assert pass_all(line) == ["p1", "q0"]


def test_of_the_same_prefix_who_is_gone_is_skipped() -> None:
    p = some("p", 3, prefix="p")
    line = line_of(p[0], Someone("other"), p[1], p[2])
    assert pass_one(line) == "p0"
    p[1].gone = True
    assert pass_all(line) == ["p2", "other"]


def test_at_most_the_longest_run_of_one_prefix_passes_while_others_wait() -> None:
    p = some("p", 2 * LONGEST_RUN + 3, prefix="p")
    line = line_of(p[0], Someone("other0"), Someone("other1"), *p[1:])
    names = pass_all(line)
    assert names.index("other0") == LONGEST_RUN
    assert names.index("other1") == LONGEST_RUN + 1
    assert [name for name in names if name.startswith("p")] == [one.name for one in p]


def test_a_prefix_that_never_ends_puts_nobody_off_for_ever() -> None:
    line = line_of(Someone("p0", "p"), *some("other", 3))
    passed = []
    while "other2" not in passed:
        line.join(Someone("p", "p"), overtakes=False)
        passed.append(pass_one(line))
        assert len(passed) <= 4 * LONGEST_RUN


def test_a_run_may_be_longer_when_nobody_else_waits() -> None:
    p = some("p", 2 * LONGEST_RUN, prefix="p")
    assert pass_all(line_of(*p)) == [one.name for one in p]


def test_prefixes_stay_together_among_more_of_them_than_are_remembered_when_gone() -> None:
    prefixes = [f"{number}." for number in range(2 * LONGEST_RUN)]
    line = line_of(*(Someone(f"{p}{turn}", p) for turn in range(2) for p in prefixes))
    assert pass_all(line) == [f"{p}{turn}" for p in prefixes for turn in range(2)]


# --- who is gone is forgotten -------------------------------------------------------------------


def _passes(line: WaitingLine[Someone], one: Someone) -> None:
    one.gone = True
    line.passed(one)


def _leaves(line: WaitingLine[Someone], one: Someone) -> None:
    """It has lost its patience, and the gate looks who is next."""
    one.gone = True
    line.first()


@pytest.mark.parametrize("goes", [_passes, _leaves], ids=["passes", "leaves"])
@pytest.mark.parametrize("prefixes", [1, 1_000], ids=["one prefix", "a prefix each"])
def test_a_line_does_not_remember_who_is_gone(
    prefixes: int, goes: Callable[[WaitingLine[Someone], Someone], None]
) -> None:
    """A hub may have the same long prefix in every request, for days."""
    line: WaitingLine[Someone] = WaitingLine()
    known: weakref.WeakSet[Someone] = weakref.WeakSet()
    for number in range(1_000):
        one = Someone(f"{number}", f"p{number % prefixes}")
        known.add(one)
        line.join(one, overtakes=False)
        assert line.first() is one
        goes(line, one)
    del one
    assert len(known) <= 2 * LONGEST_RUN
