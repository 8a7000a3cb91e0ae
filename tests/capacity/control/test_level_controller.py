"""The decision: what must hold whatever is believed, and what is done by which belief."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptu_optimizer.capacity.control.level_controller import (
    AFTER_REFUSAL_SECONDS,
    HEADER_LOST_SECONDS,
    HEADER_PROBE_SECONDS,
    PROBE_BELOW_SECONDS,
    PROBE_SECONDS,
    LevelController,
)
from ptu_optimizer.capacity.control.limits import SlowDownLimits
from ptu_optimizer.capacity.control.verdict import Admit, Verdict, Wait
from ptu_optimizer.capacity.estimate.event_load import EVENTS_SILENT_SECONDS
from ptu_optimizer.capacity.estimate.observer import LevelObserver
from ptu_optimizer.capacity.signals.signal import Signal
from tests.support.alerts import fired_alert, resolved_alert
from tests.support.signals import (
    HERE,
    MODEL,
    NOW,
    RATE,
    THERE,
    learned,
    level,
    minute,
    throttled,
    usage,
)

CALLS = 6
HEADER_TTL, METRIC_TTL = 15.0, 300.0
NORMAL = SlowDownLimits(lower=0.2, upper=0.8, max_concurrent_calls=CALLS)
HIGH = SlowDownLimits(lower=0.5, upper=0.95, max_concurrent_calls=CALLS)
WORK = 0.05 * RATE
"""A small call: a twentieth of a second of drain."""


OURS = "https://west|gpt-4.1|gpt-4.1|50"


def controller(*signals: Signal, now: float = NOW) -> LevelController:
    made = LevelController(
        deployment="ptu",
        source=HERE,
        learned_of=OURS,
        work_per_second=RATE,
        observer=LevelObserver(
            work_per_second=RATE,
            model=MODEL,
            header_ttl_seconds=HEADER_TTL,
            metric_ttl_seconds=METRIC_TTL,
        ),
        limits={"normal": NORMAL, "high": HIGH},
        max_concurrent_calls=CALLS,
    )
    for signal in signals:
        made.observe(signal, now=now)
    return made


def ask(
    made: LevelController, *, now: float = NOW, work: float = WORK, priority: str = "normal"
) -> Verdict:
    return made.ask(now=now, work=work, priority=priority)


def refusal(made: LevelController, *, now: float = NOW, priority: str = "normal") -> Wait:
    verdict = ask(made, now=now, priority=priority)
    assert isinstance(verdict, Wait), verdict
    return verdict


def send(made: LevelController, *, now: float = NOW, work: float = WORK) -> None:
    made.sent(now=now, work=work)


def sent_at_once(made: LevelController, *, now: float = NOW, work: float = WORK) -> int:
    """How many calls it admits before it lets one wait."""
    count = 0
    while isinstance(ask(made, now=now, work=work), Admit):
        send(made, now=now, work=work)
        count += 1
        assert count <= CALLS, "never above the hard maximum"
    return count


# --- what must hold whatever is believed ----------------------------------------------------------


def test_calls_at_a_time_have_a_hard_maximum() -> None:
    made = controller(level(0.0))
    assert sent_at_once(made, work=0.0) == CALLS
    wait = refusal(made)
    assert not wait.blocked, "it opens when a call ends"
    assert wait.retry_at is None
    made.ended(now=NOW, reserved=0.0, used=0.0)
    assert isinstance(ask(made, work=0.0), Admit)


@pytest.mark.parametrize(
    ("after", "blocked"),
    [
        pytest.param(0.0, True, id="at once"),
        pytest.param(5.999, True, id="just before its time"),
        pytest.param(6.0, True, id="at its time: interactive calls come first"),
        pytest.param(6.0 + AFTER_REFUSAL_SECONDS - 0.001, True, id="just before they have had it"),
        pytest.param(6.0 + AFTER_REFUSAL_SECONDS, False, id="after that"),
    ],
)
@pytest.mark.parametrize("source", [HERE, THERE], ids=["our call", "another process's"])
def test_a_429_closes_until_its_time_has_come(source: str, after: float, blocked: bool) -> None:
    made = controller(throttled(until=NOW + 6, source=source))
    verdict = ask(made, now=NOW + after)
    assert isinstance(verdict, Wait) is blocked
    if isinstance(verdict, Wait):
        assert verdict.blocked
        assert verdict.retry_at == NOW + 6 + AFTER_REFUSAL_SECONDS
        assert "429" in verdict.why


def test_after_a_429_a_lower_header_does_not_open_before_its_time() -> None:
    made = controller(throttled(until=NOW + 6))
    made.observe(level(0.0, at=NOW + 1), now=NOW + 1)
    assert refusal(made, now=NOW + 2).blocked


@pytest.mark.parametrize(
    ("second", "until"),
    [
        pytest.param(throttled(at=NOW + 1, until=NOW + 9), NOW + 9, id="a later one"),
        pytest.param(throttled(at=NOW - 1, until=NOW + 60), NOW + 6, id="an older one, late"),
        pytest.param(throttled(at=NOW, until=NOW + 60), NOW + 6, id="the same again"),
        pytest.param(
            throttled(at=NOW - 30, until=NOW - 20, source=THERE), NOW + 6, id="one that is over"
        ),
        pytest.param(
            throttled(at=NOW, until=NOW + 2, source=THERE), NOW + 6, id="a shorter one elsewhere"
        ),
    ],
)
def test_of_several_429s_the_latest_time_counts(second: Signal, until: float) -> None:
    made = controller(throttled(until=NOW + 6), second)
    assert refusal(made, now=NOW + 1).retry_at == until + AFTER_REFUSAL_SECONDS


def test_a_429_without_a_time_closes_for_as_long_as_interactive_calls_come_first() -> None:
    made = controller(throttled())
    assert refusal(made).retry_at == NOW + AFTER_REFUSAL_SECONDS


@pytest.mark.parametrize("lower", [True, False], ids=["low level", "level unknown"])
def test_a_fired_alert_closes_until_it_is_resolved(lower: bool) -> None:
    """An alert on refused calls: it does not matter whose load it was."""
    alert = fired_alert(
        metric="AzureOpenAIRequests",
        value=None,
        observed_at=NOW,
        fired_at=NOW,
        expires_at=NOW + 900,
    )
    made = controller(*[level(0.0, at=NOW - 1)] * lower, alert)
    wait = refusal(made)
    assert wait.blocked
    assert wait.why == "the alert alert ptu-is-full has fired"
    resolution = resolved_alert(fired_at=NOW, resolved_at=NOW + 5, expires_at=NOW + 900)
    made.observe(resolution, now=NOW + 5)
    assert isinstance(ask(made, now=NOW + 5), Admit)


def test_a_newer_header_outlives_an_alert() -> None:
    alert = fired_alert(value=0.97, observed_at=NOW - 60, fired_at=NOW, expires_at=NOW + 900)
    made = controller(alert)
    assert refusal(made).blocked
    made.observe(level(0.0, at=NOW + 1), now=NOW + 1)
    assert isinstance(ask(made, now=NOW + 1), Admit)


# --- the operator's limits ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "priority", "blocked"),
    [
        pytest.param(0.8, "normal", True, id="normal, at the upper limit"),
        pytest.param(1.7, "normal", True, id="normal, far above 100 %"),
        pytest.param(0.7999, "normal", False, id="normal, just below"),
        pytest.param(0.95, "high", True, id="high, at its upper limit"),
        pytest.param(0.9, "high", False, id="high, where normal would be blocked"),
    ],
)
def test_at_or_above_the_upper_limit_nothing_is_sent(
    value: float, priority: str, blocked: bool
) -> None:
    wait = refusal(controller(level(value)), priority=priority)
    assert wait.blocked is blocked
    assert not blocked or "upper limit" in wait.why


def test_above_the_lower_limit_fewer_calls_go_at_a_time() -> None:
    """Half way between the limits: half as many, however empty it gets while they run."""
    made = controller(level(0.5))
    for _ in range(CALLS // 2):
        send(made, work=0.0)
    wait = refusal(made)
    assert "3 calls at a time at 50%" in wait.why
    assert isinstance(ask(controller(level(0.0))), Admit)


@pytest.mark.parametrize(
    ("load", "blocked"),
    [
        pytest.param(0.79, False, id="others below the upper limit"),
        pytest.param(0.81, True, id="others above it"),
    ],
)
def test_by_minutes_the_limits_apply_to_the_load_of_the_others(load: float, blocked: bool) -> None:
    """To all load, our own would stop us."""
    assert refusal(_paced(controller(minute(NOW - 60, load=load)))).blocked is blocked


def _paced(made: LevelController) -> LevelController:
    """It has just sent something, so that its rate lets the next one wait."""
    ask(made)
    send(made, work=10 * RATE)
    return made


def test_our_own_calls_are_subtracted_from_the_minute() -> None:
    made = controller()
    for number in range(50):
        at = NOW - 120 + number
        send(made, now=at, work=RATE)
        made.ended(now=at + 0.5, reserved=RATE, used=RATE)
    made.observe(minute(NOW - 60, load=0.95), now=NOW)
    assert not refusal(_paced(made)).blocked
    belief = made.belief(now=NOW)
    assert belief.source == "azure monitor"
    assert belief.others == pytest.approx(0.95 - 50 / 60)


# --- by the level ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "work", "goes"),
    [
        pytest.param(0.0, 0.1, True, id="empty"),
        pytest.param(0.0, 50.0, True, id="empty: who may go goes, however large"),
        pytest.param(0.05, 0.1, True, id="below the aim"),
        pytest.param(0.05, 1.0, False, id="below it, with a call that leads over it"),
        pytest.param(0.09, 0.1, False, id="above it"),
    ],
)
def test_the_level_is_kept_low_and_never_empty(value: float, work: float, goes: bool) -> None:
    verdict = ask(controller(level(value)), work=work * RATE)
    assert isinstance(verdict, Admit) is goes
    assert "by header" in verdict.why


def test_what_was_sent_is_in_the_level_at_once() -> None:
    made = controller(level(0.0))
    send(made, work=2 * RATE)
    assert made.belief(now=NOW).value == pytest.approx(0.2)
    assert isinstance(ask(made), Wait)


def test_who_waits_is_told_when_there_will_be_room() -> None:
    made = controller(level(0.09))
    wait = refusal(made)
    assert not wait.blocked
    assert wait.retry_at is not None
    assert NOW < wait.retry_at <= NOW + 0.25


def test_what_calls_under_way_will_give_back_is_allowed_for() -> None:
    """Reservations are four times what is used: the level is mostly air."""
    made = controller(level(0.0))
    for number in range(60):
        at = NOW + number
        made.observe(level(0.0, at=at), now=at)
        send(made, now=at, work=RATE)
        made.ended(now=at, reserved=RATE, used=RATE / 4)
    full, now = controller(level(0.0)), NOW + 60
    made.observe(level(0.0, at=now), now=now)
    send(made, now=now, work=2 * RATE)
    send(full, now=NOW, work=2 * RATE)
    seen = level(0.08, at=now + 0.5), level(0.08, at=NOW + 0.5)
    made.observe(seen[0], now=now + 0.5)
    full.observe(seen[1], now=NOW + 0.5)
    assert isinstance(ask(made, now=now + 0.5, work=0.0), Admit)
    assert isinstance(ask(full, now=NOW + 0.5, work=0.4 * RATE), Wait), "it was not used to that"


# --- with nothing fresh: probes -------------------------------------------------------------------


def test_with_nothing_known_one_call_at_a_time_is_a_probe() -> None:
    made = controller()
    assert sent_at_once(made) == 1
    wait = refusal(made, now=NOW + 60)
    assert not wait.blocked, "the probe is still under way, and its reading will open"
    made.ended(now=NOW + 60, reserved=WORK, used=WORK)
    assert sent_at_once(made, now=NOW + 60) == 1


def test_probes_keep_their_distance_unless_they_came_to_nothing() -> None:
    made = controller()
    send(made)
    made.ended(now=NOW + 0.1, reserved=WORK, used=WORK)
    assert isinstance(ask(made, now=NOW + PROBE_SECONDS), Wait)
    assert isinstance(ask(made, now=NOW + PROBE_SECONDS + 0.001), Admit)
    send(made, now=NOW + 3)
    made.ended(now=NOW + 3.1, reserved=WORK, used=0.0)
    assert isinstance(ask(made, now=NOW + 3.1), Admit), "it never ran: nothing was learned"


@pytest.mark.parametrize(
    ("signal", "until", "by"),
    [
        pytest.param(level(0.0), HEADER_TTL, "by header", id="a header"),
        pytest.param(minute(load=0.0), METRIC_TTL, "by azure monitor", id="a minute"),
        pytest.param(
            usage({NOW - 0.5: 0.0}), EVENTS_SILENT_SECONDS - 0.25, "by usage events", id="events"
        ),
    ],
)
def test_what_is_stale_is_not_acted_upon(signal: Signal, until: float, by: str) -> None:
    """Missing data is never 0 %: what was empty once is probed, one call at a time."""
    fresh, stale = controller(signal), controller(signal)
    assert by in ask(fresh, now=NOW + until).why
    assert sent_at_once(stale, now=NOW + until + 0.01, work=0.0) == 1
    assert "nothing is known" in refusal(stale, now=NOW + until + 0.01).why


def test_what_a_probe_reads_is_acted_upon() -> None:
    made = controller()
    send(made)
    made.observe(level(0.0, at=NOW + 1), now=NOW + 1)
    made.ended(now=NOW + 1, reserved=WORK, used=WORK)
    assert sent_at_once(made, now=NOW + 1) > 1


@pytest.mark.parametrize(
    ("value", "probes"),
    [
        pytest.param(0.1 * PROBE_BELOW_SECONDS - 0.01, True, id="believed low enough"),
        pytest.param(0.1 * PROBE_BELOW_SECONDS + 0.2, False, id="believed too full: waited for"),
    ],
)
def test_a_level_that_is_not_heard_of_for_a_while_is_probed(value: float, probes: bool) -> None:
    """The others fill it, as far as is known, but without calls nobody would ever hear."""
    made = controller(learned(usual_load=1.0), level(value))
    later = NOW + PROBE_SECONDS + 0.001
    assert isinstance(ask(made, now=later - 0.01), Wait)
    assert isinstance(ask(made, now=later), Admit) is probes


HIGH_LOAD = 0.9
"""Of the others: above the upper limit, which is for the load where only minutes are known."""


def closed_by_the_metric(*, header_at: float = NOW, called_at: float = NOW) -> LevelController:
    """After a call at `called_at`; the others' load is too high by the metric."""
    made = controller()
    if header_at > -math.inf:
        made.observe(level(0.5, at=header_at), now=max(NOW, header_at))
    made.sent(now=called_at, work=WORK)
    made.ended(now=called_at, reserved=WORK, used=WORK)
    later = max(header_at, called_at) + HEADER_TTL + HEADER_PROBE_SECONDS
    for number in range(3):
        made.observe(minute(later - 60 * number, load=HIGH_LOAD), now=later)
    return made


def test_a_level_that_is_told_by_headers_is_probed_where_only_the_metric_is_left() -> None:
    """Found in a trace: a burst closed the gate at the upper limit, the header grew old, and the
    limit then held for the others' load, for as long as that was high."""
    made, later = closed_by_the_metric(), NOW + HEADER_TTL + HEADER_PROBE_SECONDS
    assert made.belief(now=later).source == "azure monitor"
    assert "reports its level" in ask(made, now=later).why
    made.sent(now=later, work=WORK)
    assert isinstance(ask(made, now=later + 5), Wait), "one at a time"
    made.observe(level(0.05, at=later + 6), now=later + 6)
    made.ended(now=later + 6, reserved=WORK, used=WORK)
    assert "by header" in ask(made, now=later + 6).why, "and the others' load closes nothing more"


@pytest.mark.parametrize("used", [0.0, WORK], ids=["refused", "answered without a header"])
def test_such_probes_keep_their_distance(used: float) -> None:
    made, later = closed_by_the_metric(), NOW + HEADER_TTL + HEADER_PROBE_SECONDS
    made.sent(now=later, work=WORK)
    made.ended(now=later, reserved=WORK, used=used)
    assert isinstance(ask(made, now=later + HEADER_PROBE_SECONDS), Wait)
    assert isinstance(ask(made, now=later + HEADER_PROBE_SECONDS + 0.01), Admit)


def test_a_probe_that_was_refused_after_a_long_silence_is_not_the_last_one() -> None:
    made, later = closed_by_the_metric(), NOW + 180
    for number in range(3):
        made.observe(minute(later - 60 * number, load=HIGH_LOAD), now=later)
    for _ in range(3):
        assert isinstance(ask(made, now=later), Admit)
        made.sent(now=later, work=WORK)
        made.ended(now=later, reserved=WORK, used=0.0)
        later += HEADER_PROBE_SECONDS + 1


@pytest.mark.parametrize(
    ("header_at", "called_at"),
    [
        pytest.param(-math.inf, NOW, id="it never told any"),
        pytest.param(NOW - HEADER_LOST_SECONDS, NOW, id="it has stopped telling"),
    ],
)
def test_where_no_header_is_to_be_had_the_metric_alone_decides(
    header_at: float, called_at: float
) -> None:
    made = closed_by_the_metric(header_at=header_at, called_at=called_at)
    later = called_at + HEADER_TTL + HEADER_PROBE_SECONDS
    assert "at or above the upper limit" in refusal(made, now=later).why


# --- what is believed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([], id="nothing"),
        pytest.param([usage({NOW - 1: 1.0}, source=THERE)], id="what we sent ourselves"),
        pytest.param([fired_alert()], id="an alert"),
        pytest.param([learned()], id="what was learned"),
        pytest.param([level(0.3, at=NOW + 60)], id="a header of the future"),
        pytest.param([minute(NOW + 60, load=0.3)], id="a minute of the future"),
        pytest.param([level(30.0)], id="a percentage taken for a share"),
    ],
)
def test_what_tells_no_level_is_not_zero_percent(signals: list[Signal]) -> None:
    made = controller(*signals)
    send(made)
    belief = made.belief(now=NOW)
    assert (belief.value, belief.others, belief.fresh) == (None, None, False)
    assert belief.age == math.inf
    assert belief.source == "nothing"


@pytest.mark.parametrize(
    ("signal", "source", "value"),
    [
        pytest.param(level(0.3, at=NOW - 2), "header", pytest.approx(0.2, abs=0.05), id="header"),
        pytest.param(usage({NOW - 2.25: 0.0}), "usage events", 0.0, id="usage events"),
        pytest.param(minute(NOW - 2, load=0.3), "azure monitor", 0.0, id="metric"),
    ],
)
def test_a_belief_says_what_it_rests_on_and_how_old_that_is(
    signal: Signal, source: str, value: float
) -> None:
    belief = controller(signal).belief(now=NOW)
    assert (belief.source, belief.fresh, belief.value) == (source, True, value)
    assert belief.age == pytest.approx(2.0)
    assert [one.weight for one in belief.provenance] == [1.0]


def test_a_stale_belief_says_so_and_how_old_it_is() -> None:
    belief = controller(level(0.3)).belief(now=NOW + 100)
    assert (belief.source, belief.fresh) == ("nothing", False)
    assert belief.age == pytest.approx(100)
    assert belief.value is not None


def test_a_429_is_a_level_too() -> None:
    belief = controller(throttled(until=NOW + 3)).belief(now=NOW)
    assert belief.value == pytest.approx(1.3), "full, and three seconds of drain above that"


def test_the_best_signal_wins_however_late_the_others_came() -> None:
    made = controller(level(0.3, at=NOW - 10), minute(NOW - 5, load=0.9), usage({NOW - 1: 0.0}))
    assert made.belief(now=NOW).source == "header"
    assert made.belief(now=NOW + 6).source == "usage events"


# --- what is learned, and handed on ---------------------------------------------------------------


def test_how_much_of_a_reservation_is_really_used_is_learned() -> None:
    made = controller()
    for _ in range(100):
        send(made)
        made.ended(now=NOW, reserved=WORK, used=WORK / 4)
    found = made.learned(now=NOW)
    assert found is not None
    assert found.used_share == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("used", "share"),
    [
        pytest.param(None, 0.8, id="nobody knows"),
        pytest.param(0.0, 0.8, id="it never ran"),
        pytest.param(9 * WORK, 1.0, id="more than was reserved: all of it"),
    ],
)
def test_what_tells_nothing_of_reservations_teaches_nothing(
    used: float | None, share: float
) -> None:
    made = controller()
    for _ in range(200):
        send(made)
        made.ended(now=NOW, reserved=WORK, used=used)
    found = made.learned(now=NOW)
    assert found is not None
    assert found.used_share == pytest.approx(share, abs=0.01)


def test_a_successor_goes_on_from_what_was_learned() -> None:
    told = learned(
        drain=0.8,
        event_gain=1.5,
        used_share=0.25,
        usual_load=0.3,
        metric_meaning="level",
        header_at_admission=True,
        own_minutes=((int(NOW // 60), 6.0),),
    )
    found = controller(told).learned(now=NOW)
    assert found is not None
    assert (found.source, found.at) == (HERE, NOW)
    for name in ("drain", "event_gain", "used_share", "metric_meaning", "header_at_admission"):
        assert getattr(found, name) == getattr(told, name), name
    assert found.own_minutes == told.own_minutes


@pytest.mark.parametrize(
    ("learned_of", "taken"),
    [
        pytest.param(OURS, True, id="of this deployment, model and size"),
        pytest.param("", True, id="by a version that does not say of what"),
        pytest.param("https://west|gpt-4.1|gpt-4.1|100", False, id="before it was resized"),
        pytest.param("https://east|gpt-4.1|gpt-4.1|50", False, id="of another resource"),
    ],
)
def test_only_what_was_learned_of_the_same_is_taken_over(learned_of: str, taken: bool) -> None:
    found = controller(learned(drain=0.8, learned_of=learned_of)).learned(now=NOW)
    assert found is not None
    assert found.learned_of == OURS
    assert (found.drain == 0.8) is taken


@pytest.mark.parametrize(
    ("told", "name", "believed"),
    [
        pytest.param({"drain": 99.0}, "drain", 2.0, id="a drain of nobody's settings"),
        pytest.param({"event_gain": 0.0}, "event_gain", 0.5, id="no events at all"),
        pytest.param({"used_share": 7.0}, "used_share", 1.0, id="more used than reserved"),
    ],
)
def test_what_was_handed_over_is_kept_within_bounds(
    told: dict[str, float], name: str, believed: float
) -> None:
    found = controller(learned(**told)).learned(now=NOW)
    assert getattr(found, name) == believed


@pytest.mark.parametrize(
    ("age", "value"),
    [
        pytest.param(0.0, 0.6, id="told just now"),
        pytest.param(4.0, 0.4, id="told four seconds ago, half of which the others filled"),
        pytest.param(-3_600.0, 0.6, id="by a clock that is an hour ahead: as if now"),
        pytest.param(86_000.0, 0.0, id="told yesterday: it has long been drained"),
    ],
)
def test_a_successor_starts_with_the_level_that_was_believed(age: float, value: float) -> None:
    """Metric only: nothing of its own tells better how full it was then."""
    made = controller(minute(NOW - 60, load=0.5), learned(at=NOW - age, level=6.0))
    assert made.belief(now=NOW).value == pytest.approx(value)
    assert made.belief(now=NOW + 4).value == pytest.approx(max(0.0, value - 0.2)), "it drains"


def test_a_header_of_its_own_tells_better() -> None:
    made = controller(level(0.1), learned(level=6.0))
    assert made.belief(now=NOW).value == pytest.approx(0.1)


def test_what_it_told_itself_teaches_it_nothing() -> None:
    found = controller(learned(source=HERE, drain=0.5)).learned(now=NOW)
    assert found is not None
    assert found.drain == 1.0


def test_its_own_usage_is_not_counted_again() -> None:
    made = controller(level(0.0), usage({NOW: 5.0}, source=HERE))
    assert made.belief(now=NOW).value == 0.0
    made.observe(usage({NOW: 5.0}, source=THERE), now=NOW)
    assert made.belief(now=NOW).value == pytest.approx(0.5)


def test_after_others_were_refused_it_leaves_them_more_room_and_so_does_its_successor() -> None:
    """By usage events, which tell of both; ten seconds later, so that no burst is in the level."""
    calm = controller(usage({NOW - 10: 0.0}))
    warned = controller(usage({NOW - 10: 0.0}, refused={NOW - 10: 3}))
    handed_over = warned.learned(now=NOW)
    assert handed_over is not None
    successor = controller(usage({NOW - 10: 0.0}), replace(handed_over, source=THERE))
    admitted = [admitted_work(one) for one in (calm, warned, successor)]
    assert admitted[1] < admitted[0]
    assert admitted[2] == admitted[1]


def admitted_work(made: LevelController) -> float:
    """How much goes in small calls that do not end, seconds of drain."""
    work = 0.001 * RATE
    for count in range(10_000):
        if isinstance(ask(made, work=work), Wait):
            return count * work / RATE
        made.sent(now=NOW, work=work)
        made.ended(now=NOW, reserved=work, used=work)
    raise AssertionError("it admits without end")


def test_who_takes_over_does_not_take_our_429s_for_harm() -> None:
    """A minute of the metric comes minutes after them."""
    first = controller(throttled(at=NOW - 90, until=NOW - 89), now=NOW - 90)
    for _ in range(4):
        first.observe(throttled(at=NOW - 85, until=NOW - 80), now=NOW - 85)
    handed_over = first.learned(now=NOW - 30)
    assert handed_over is not None
    told = minute(NOW - 60, accepted=995, refused=round(sum(c for _, c in handed_over.own_refused)))
    successor = controller(replace(handed_over, source=THERE), told)
    found = successor.learned(now=NOW)
    assert found is not None
    assert found.others_refused_at == 0.0
    stranger = controller(told).learned(now=NOW)
    assert stranger is not None
    assert stranger.others_refused_at == NOW - 60


# --- in the large ---------------------------------------------------------------------------------


class Play:
    """Anything may happen, in any order; what must hold is looked at after each step."""

    def __init__(self) -> None:
        self.controller = controller()
        self.now = NOW
        self.calls: list[float] = []
        self.closed_until = -math.inf
        self.above: set[str] = set()
        """Priorities above whose upper limit a header of this very moment is."""
        self.numbers = iter(range(10**6))

    def passes(self, seconds: float) -> None:
        self.now += seconds
        if seconds > 0:
            self.above = set()

    def asks(self, work: float, priority: str) -> None:
        verdict = self.controller.ask(now=self.now, work=work, priority=priority)
        if isinstance(verdict, Wait):
            assert verdict.why
            assert verdict.retry_at is None or verdict.retry_at > self.now
            return
        assert self.now >= self.closed_until, "a 429's time has not come"
        assert priority not in self.above, "a fresh header is above the upper limit"
        self.calls.append(work)
        assert len(self.calls) <= CALLS, "never above the hard maximum"
        self.controller.sent(now=self.now, work=work)

    def ends(self, used: float | None) -> None:
        if self.calls:
            self.above = set()  # what it gives back is news
            work = self.calls.pop(0)
            cost = None if used is None else used * work
            self.controller.ended(now=self.now, reserved=work, used=cost)

    def reads(self, value: float) -> None:
        self.controller.observe(
            level(value, at=self.now, source=f"w{next(self.numbers)}"), now=self.now
        )
        for name, limits in (("normal", NORMAL), ("high", HIGH)):
            if value >= limits.upper:
                self.above.add(name)

    def is_refused(self, seconds: float) -> None:
        source = f"w{next(self.numbers)}"
        until = self.now + seconds
        self.controller.observe(throttled(at=self.now, until=until, source=source), now=self.now)
        self.closed_until = max(self.closed_until, until)

    def hears(self, signal: Signal) -> None:
        self.controller.observe(signal, now=self.now)

    def ticks(self) -> None:
        self.controller.tick(now=self.now)


FLOATS = st.floats(0, 3)
LATE = st.floats(-400, 20)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), st.sampled_from([0.0, 0.01, 0.3, 1.0, 4.0, 20.0, 400.0])),
        st.tuples(
            st.just("asks"),
            st.sampled_from([0.0, 1.0, 50.0, 1_000.0, 90_000.0]),
            st.sampled_from(["normal", "high"]),
        ),
        st.tuples(st.just("ends"), st.none() | st.sampled_from([0.0, 0.3, 1.0, 2.0])),
        st.tuples(st.just("reads"), FLOATS),
        st.tuples(st.just("is_refused"), st.floats(0, 30)),
        st.tuples(st.just("ticks")),
        st.tuples(
            st.just("minute"), LATE, st.none() | FLOATS, st.none() | FLOATS, st.none() | FLOATS
        ),
        st.tuples(st.just("usage"), LATE, FLOATS, st.sampled_from(["gateway", THERE])),
        st.tuples(st.just("alert"), LATE, st.booleans(), st.none() | FLOATS),
        st.tuples(st.just("learned"), FLOATS),
    ),
    max_size=60,
)


def played(steps: list[tuple[Any, ...]]) -> Play:
    play = Play()
    for name, *arguments in steps:
        match name, arguments:
            case "minute", [float(late), load, utilization, lowest]:
                one = minute(
                    math.floor((play.now + late) / 60) * 60,
                    load=load,
                    utilization=utilization,
                    utilization_min=lowest,
                    accepted=90,
                    refused=next(play.numbers) % 3,
                )
                play.hears(one)
            case "usage", [float(late), float(work), str(source)]:
                record = str(next(play.numbers) % 5)
                at = math.floor((play.now + late) * 2) / 2
                play.hears(
                    usage({at: work, at + 0.5: 0.1}, used={at: 0.1}, source=source, record=record)
                )
            case "alert", [float(late), bool(fired), value]:
                at = play.now + late
                play.hears(
                    fired_alert(fired_at=at, observed_at=at, expires_at=at + 300, value=value)
                    if fired
                    else resolved_alert(resolved_at=at, expires_at=at + 300, value=value)
                )
            case "learned", [float(drain)]:
                play.hears(learned(drain=drain, usual_load=drain, at=play.now))
            case str(step), _:
                getattr(play, step)(*arguments)
        belief = play.controller.belief(now=play.now)
        assert belief.value is None or 0 <= belief.value < math.inf, "the level is never negative"
        assert belief.others is None or 0 <= belief.others < math.inf
        assert belief.age >= 0
    return play


@settings(max_examples=400)
@given(STEPS)
def test_whatever_comes_the_hard_limits_hold(steps: list[tuple[Any, ...]]) -> None:
    played(steps)


@given(STEPS)
def test_when_every_call_has_ended_no_seat_is_lost(steps: list[tuple[Any, ...]]) -> None:
    play = played(steps)
    while play.calls:
        play.ends(0.0)
    play.passes(10_000.0)
    play.reads(0.0)
    assert sent_at_once(play.controller, now=play.now, work=0.0) == CALLS


@given(
    works=st.lists(st.floats(1, 1e5), min_size=1, max_size=CALLS),
    value=st.floats(0, 1),
    order=st.randoms(),
)
def test_what_never_ran_leaves_no_trace_in_the_level(
    works: list[float], value: float, order: random.Random
) -> None:
    made = controller(level(value))
    for work in works:
        send(made, work=work)
    order.shuffle(works)
    for work in works:
        made.ended(now=NOW, reserved=work, used=0.0)
    assert made.belief(now=NOW).value == pytest.approx(value)


@given(steps=STEPS, wait=st.floats(0, 1_000))
def test_nothing_closes_for_ever(steps: list[tuple[Any, ...]], wait: float) -> None:
    """Without calls there are no headers: whatever was believed, at last a probe goes."""
    play = played(steps)
    while play.calls:
        play.ends(1.0)
    play.passes(wait + 1_200.0)
    for _ in range(30):
        verdict = play.controller.ask(now=play.now, work=WORK, priority="normal")
        if isinstance(verdict, Admit):
            return
        assert verdict.retry_at is not None, "nothing is under way that could end"
        play.passes(verdict.retry_at - play.now)
    pytest.fail(f"still closed: {verdict.why}")
