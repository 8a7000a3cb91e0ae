"""A belief from records alone is the one that a process would have that had seen it all in time."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from ptu_optimizer.capacity.control.level_controller import LevelController
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.alert_schema import Condition
from ptu_optimizer.capacity.signals.learned import Learned
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.capacity.signals.reading import Reading, ReadingKind
from ptu_optimizer.capacity.signals.signal import Signal
from ptu_optimizer.capacity.signals.usage import UsageWindow, UsageWindows
from ptu_optimizer.coordination.records import Recorded
from ptu_optimizer.operator_views.replay import replay
from tests.support.controllers import RATE, level_controller

NOW = 1_800_000_000.0


def played(*signals: Signal, now: float = NOW) -> LevelController:
    controller = level_controller()
    replay(controller, [Recorded(signal, None) for signal in signals], now=now)
    return controller


def asked(controller: LevelController, now: float = NOW) -> Verdict:
    return controller.ask(now=now, work=0.0, priority="normal")


def level(value: float, *, age: float, source: str = "other") -> Reading:
    return Reading(
        deployment="ptu", kind=ReadingKind.LEVEL, value=value, source=source, observed_at=NOW - age
    )


def throttled(*, age: float, until: float) -> Reading:
    return Reading(
        deployment="ptu",
        kind=ReadingKind.THROTTLED,
        value=1.0,
        source="other",
        observed_at=NOW - age,
        until=NOW + until,
    )


def minute(load: float, *, age: float) -> Minute:
    """`load` of what the deployment drains in a minute, all of it prompts."""
    return Minute(
        deployment="ptu",
        ends_at=NOW - age,
        utilization=load,
        accepted=100,
        refused=0,
        prompt_tokens=load * RATE * 60,
        cached_tokens=0.0,
        generated_tokens=0.0,
    )


def events(load: float, *, late: float = 2.0, seconds: float = 60.0) -> list[Recorded]:
    """Interactive calls of `load` up to now, window by window, as far as they are written yet; the
    store tells whole seconds."""
    first = math.floor(2 * (NOW - seconds))
    work = load * RATE / 2
    return [
        Recorded(
            UsageWindows(
                deployment="ptu",
                record_id=f"usage:0:{number}",
                source="usage:0",
                ours=False,
                windows=(UsageWindow(start=number / 2, reserved=work, used=work),),
            ),
            written_at=math.floor(number / 2 + 0.5 + late),
        )
        for number in range(first, math.floor(2 * (NOW - 0.5 - late)) + 1)
    ]


def learned(
    *,
    drain: float = 0.8,
    used_share: float = 0.5,
    own_minutes: tuple[tuple[int, float], ...] = (),
) -> Learned:
    return Learned(
        deployment="ptu",
        source="other",
        at=NOW - 600,
        drain=drain,
        event_gain=1.0,
        used_share=used_share,
        usual_load=0.5,
        metric_meaning="load",
        header_at_admission=False,
        own_minutes=own_minutes,
    )


def alert(*, age: float, expires: float) -> Alert:
    return Alert(
        deployment="ptu",
        alert_id="1",
        rule="ptu-is-full",
        metric="",
        operator="GreaterThan",
        threshold=None,
        value=None,
        state=Condition.FIRED,
        fired_at=NOW - age,
        resolved_at=None,
        observed_at=NOW - age,
        expires_at=NOW + expires,
        description="",
    )


def test_of_nothing_nothing_is_believed() -> None:
    belief = played().belief(now=NOW)
    assert (belief.value, belief.others, belief.fresh) == (None, None, False)
    assert belief.source == "nothing"
    assert belief.provenance == ()


@pytest.mark.parametrize("age", [0.0, 0.5, 3.0])
def test_a_lone_header_is_the_level_of_its_time(age: float) -> None:
    """10 % are a second of drain; the others are taken for half of what drains."""
    belief = played(level(0.6, age=age)).belief(now=NOW)
    assert belief.source == "header"
    assert belief.age == pytest.approx(age)
    assert belief.value == pytest.approx(0.6 - 0.05 * age, abs=0.02)


@pytest.mark.parametrize("late", [0.5, 2.0, 5.0])
def test_usage_events_tell_the_load_up_to_where_they_are_complete(late: float) -> None:
    controller = level_controller()
    replay(controller, events(0.7, late=late), now=NOW)
    belief = controller.belief(now=NOW)
    assert belief.source == "usage events"
    assert belief.others == pytest.approx(0.7, abs=0.1)
    assert belief.value == pytest.approx(0.0, abs=0.05), "what comes is drained at once"


def test_more_than_drains_piles_up_in_the_level() -> None:
    controller = level_controller()
    replay(controller, events(1.2, seconds=20), now=NOW)
    assert controller.belief(now=NOW).value == pytest.approx(0.4, abs=0.05), "20 s of 20 % too much"


def test_events_that_fill_the_deployment_close_the_gate() -> None:
    controller = level_controller()
    replay(controller, events(2.0, seconds=20), now=NOW)
    verdict = asked(controller)
    assert isinstance(verdict, Wait)
    assert verdict.blocked


def test_without_events_minutes_are_what_the_belief_rests_on() -> None:
    controller = played(*(minute(0.4, age=90 + 60 * n) for n in range(5)))
    belief = controller.belief(now=NOW)
    assert belief.source == "azure monitor"
    assert belief.age == pytest.approx(90)
    assert belief.others == pytest.approx(0.4)
    assert "azure monitor" in asked(controller).why


def test_what_our_calls_used_is_not_taken_for_the_others() -> None:
    number = math.floor((NOW - 150) / 60)
    ends_at = 60.0 * (number + 1)
    one = minute(0.9, age=NOW - ends_at)
    own = learned(own_minutes=((number, 36.0),))
    assert played(one, own).belief(now=NOW).others == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("signals", "says"),
    [
        pytest.param([throttled(age=1, until=4)], "answered 429", id="a 429"),
        pytest.param([alert(age=60, expires=600)], "ptu-is-full", id="an alert"),
        pytest.param([level(0.9, age=1)], "upper limit", id="a level at the limit"),
    ],
)
def test_what_closes_the_gate_closes_it(signals: list[Signal], says: str) -> None:
    verdict = asked(played(*signals))
    assert isinstance(verdict, Wait)
    assert verdict.blocked
    assert says in verdict.why


@pytest.mark.parametrize(
    "signal",
    [
        pytest.param(throttled(age=60, until=-50), id="a 429 whose time is over"),
        pytest.param(alert(age=1_000, expires=-100), id="an alert that has expired"),
        pytest.param(level(0.9, age=120), id="an old level"),
    ],
)
def test_what_is_over_closes_nothing(signal: Signal) -> None:
    assert isinstance(asked(played(signal)), Admit)


def test_a_newer_header_outlives_an_alert() -> None:
    assert isinstance(asked(played(alert(age=60, expires=600), level(0.01, age=1))), Admit)


def test_a_reading_from_the_future_is_not_believed() -> None:
    assert played(level(0.9, age=-60)).belief(now=NOW).value is None


def test_what_was_learned_is_begun_with() -> None:
    found = played(learned(drain=0.8, used_share=0.4)).learned(now=NOW)
    assert found is not None
    assert (found.drain, found.used_share) == (0.8, 0.4)


def test_the_order_in_which_records_are_read_does_not_matter() -> None:
    others: list[Signal] = [
        learned(),
        level(0.2, age=8),
        level(0.1, age=4, source="third"),
        minute(0.5, age=90),
        minute(0.4, age=150),
        alert(age=500, expires=400),
    ]
    records = [*events(0.6, seconds=10), *(Recorded(one, None) for one in others)]
    controller = level_controller()
    replay(controller, records, now=NOW)
    for seed in range(5):
        another = level_controller()
        replay(another, random.Random(seed).sample(records, len(records)), now=NOW)
        assert another.belief(now=NOW) == controller.belief(now=NOW)


@pytest.mark.parametrize(
    ("age", "weight"),
    [pytest.param(15.0, 1.0, id="just fresh"), pytest.param(15.1, 0.0, id="too old to rest on")],
)
def test_an_old_word_of_another_process_weighs_nothing(age: float, weight: float) -> None:
    belief = played(level(0.1, age=1), level(0.9, age=age, source="third")).belief(now=NOW)
    assert {one.source: one.weight for one in belief.provenance} == {"other": 1.0, "third": weight}


def test_provenance_names_every_kind_and_source_and_what_it_weighs() -> None:
    belief = played(
        level(0.1, age=3), level(0.2, age=9, source="third"), minute(0.5, age=90)
    ).belief(now=NOW)
    assert [(one.kind, one.source, one.weight) for one in belief.provenance] == [
        ("level", "other", 1.0),
        ("level", "third", 1.0),
        ("minute", "azure monitor", 0.0),
    ]
    ages = [one.observed_at for one in belief.provenance]
    assert all(newer >= older for newer, older in itertools.pairwise(ages))
