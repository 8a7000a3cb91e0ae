"""Permits: each ends once, by its call or by its age."""

from __future__ import annotations

import pytest

from ptu_optimizer.admission.permits import PERMIT_SECONDS, Ending, OpenPermits, Permit


class Desk:
    """Gives permits and notes what became of them."""

    def __init__(self) -> None:
        self.endings: list[tuple[Permit, Ending]] = []
        self.open = OpenPermits()

    def give(self, *, at: float = 0.0, work: float = 1.0) -> Permit:
        permit = Permit(work, at=at, on_end=self.ended)
        self.open.add(permit)
        return permit

    def ended(self, permit: Permit, ending: Ending) -> None:
        self.open.ended()
        self.endings.append((permit, ending))


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(Ending(), id="it never ran"),
        pytest.param(Ending(used=7.0, answered=True), id="answered"),
        pytest.param(Ending(used=None, trouble="no answer"), id="nobody knows"),
        pytest.param(Ending(refused=True), id="refused"),
    ],
)
def test_who_gave_it_hears_what_became_of_it_once(ending: Ending) -> None:
    desk = Desk()
    permit = desk.give(work=7.0)
    for _ in range(3):
        permit.end(ending)
    assert desk.endings == [(permit, ending)]
    assert desk.open.count == 0
    assert not permit.is_open


def test_one_that_is_too_old_is_lost_and_its_late_end_is_heard_by_nobody() -> None:
    desk = Desk()
    old, young = desk.give(at=0.0), desk.give(at=1.0)
    assert desk.open.lost(PERMIT_SECONDS) == [], "it may just end"
    assert desk.open.lost(PERMIT_SECONDS + 0.5) == [old]
    assert desk.open.lost(PERMIT_SECONDS + 0.5) == [], "lost once"
    old.end(Ending(used=1.0))
    assert desk.endings == []
    assert desk.open.count == 1
    young.end()
    assert desk.open.count == 0


def test_those_that_have_ended_are_not_lost_whatever_their_order() -> None:
    desk = Desk()
    permits = [desk.give(at=float(number)) for number in range(4)]
    permits[2].end()
    permits[0].end()
    assert desk.open.lost(10 * PERMIT_SECONDS) == [permits[1], permits[3]]
    assert desk.open.count == 0
