"""Moments at which the deployment was full, looked at when all that went in before is known."""

from __future__ import annotations

import math

from ptu_optimizer.capacity.estimate.refusals import APART_SECONDS, FullMoment, Refusals
from ptu_optimizer.capacity.estimate.trajectory import Anchor
from tests.support.signals import NOW

CERTAIN = Anchor(NOW - 20, 3.0)


def seen(*moments: float, certain: Anchor = CERTAIN) -> Refusals:
    made = Refusals()
    for at in moments:
        made.seen(at, certain=certain)
    return made


def test_without_a_refusal_there_is_nothing_to_look_at() -> None:
    assert Refusals().due(known_until=math.inf) is None


def test_a_moment_waits_until_all_before_it_is_known_and_is_looked_at_once() -> None:
    made = seen(NOW)
    assert made.due(known_until=NOW - 0.001) is None
    assert made.due(known_until=NOW) == FullMoment(NOW, CERTAIN, math.inf)
    assert made.due(known_until=NOW + 60) is None


def test_while_one_waits_the_others_are_of_the_same_burst() -> None:
    made = seen(NOW, NOW + 1, NOW + 60)
    assert made.due(known_until=NOW + 60) == FullMoment(NOW, CERTAIN, math.inf)
    assert made.due(known_until=NOW + 60) is None


def test_the_next_one_knows_how_long_ago_the_last_one_was() -> None:
    made = seen(NOW)
    made.due(known_until=NOW)
    made.seen(NOW + APART_SECONDS, certain=CERTAIN)
    assert made.due(known_until=NOW + 60) is None, "still the same burst"
    made.seen(NOW + 30, certain=Anchor(NOW + 10, 1.0))
    assert made.due(known_until=NOW + 60) == FullMoment(NOW + 30, Anchor(NOW + 10, 1.0), 30.0)


def test_one_of_which_nothing_certain_lies_before_says_nothing() -> None:
    made = seen(NOW - 20, NOW - 30, -math.inf)
    assert made.due(known_until=math.inf) is None
