"""How full the deployment is, by signals of every age: held against a bucket that is known."""

from __future__ import annotations

import random

import pytest

from ptu_optimizer.capacity.estimate.belief import Basis
from ptu_optimizer.capacity.estimate.observer import ASSUMED_DEPTH_SECONDS, LevelObserver
from ptu_optimizer.capacity.estimate.timeline import KEEP_SECONDS
from ptu_optimizer.capacity.signals.usage import WINDOW_SECONDS, window_start
from tests.support.signals import (
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

HEADER_TTL, METRIC_TTL = 15.0, 300.0


def observer() -> LevelObserver:
    return LevelObserver(
        work_per_second=RATE,
        model=MODEL,
        header_ttl_seconds=HEADER_TTL,
        metric_ttl_seconds=METRIC_TTL,
    )


def at(made: LevelObserver, now: float) -> float:
    made.advance(now)
    return made.level


# --- what it rests on -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "events", "metric", "basis"),
    [
        pytest.param(None, None, None, Basis.NOTHING, id="nothing"),
        pytest.param(0, 0, 60, Basis.HEADER, id="all: the header"),
        pytest.param(HEADER_TTL, 0, 60, Basis.HEADER, id="a header at the end of its time"),
        pytest.param(HEADER_TTL + 0.001, 2, 60, Basis.EVENTS, id="a header that is just stale"),
        pytest.param(None, 300, 60, Basis.EVENTS, id="events at the end of their time"),
        pytest.param(None, 300.001, 60, Basis.METRIC, id="events that are just stale"),
        pytest.param(None, None, METRIC_TTL, Basis.METRIC, id="a minute at the end of its time"),
        pytest.param(None, None, METRIC_TTL + 0.001, Basis.NOTHING, id="a minute just stale"),
    ],
)
def test_the_best_that_is_fresh(
    header: float | None, events: float | None, metric: float | None, basis: Basis
) -> None:
    made = observer()
    if header is not None:
        made.header(level(0.1, at=NOW - header), NOW - header)
    if events is not None:
        made.events.heard(NOW - events, until=NOW - events)
    if metric is not None:
        made.minute(minute(NOW - metric, load=0.5), NOW - metric)
    assert made.basis(NOW) is basis


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, 1.7], ids=["empty", "low", "full", "over 100 %"])
def test_a_header_is_the_level(value: float) -> None:
    made = observer()
    made.header(level(value), NOW)
    assert made.level == pytest.approx(ASSUMED_DEPTH_SECONDS * value)


def test_the_first_signal_of_all_is_believed_though_it_is_older_than_our_clock() -> None:
    """Another process's reading is what a new process hears first."""
    made = observer()
    made.header(level(0.9, at=NOW - 1, source=THERE), NOW)
    assert made.level == pytest.approx(9.0 - (made.drain - made.others(NOW)))


@pytest.mark.parametrize(
    ("second", "believed"),
    [
        pytest.param(level(0.2, at=NOW + 1), 2.0, id="a newer one"),
        pytest.param(level(0.2, at=NOW - 1), None, id="an older one"),
        pytest.param(level(0.2, at=NOW - 60), None, id="a far older one"),
        pytest.param(level(0.2, at=NOW), None, id="an emptier one of the same moment"),
        pytest.param(level(0.8, at=NOW), 8.0, id="a fuller one of the same moment"),
    ],
)
def test_contradictory_headers(second: object, believed: float | None) -> None:
    made = observer()
    made.header(level(0.5), NOW)
    now = NOW + 1 if believed == 2.0 else NOW
    before = at(made, now)
    made.header(second, now)  # type: ignore[arg-type]
    assert made.level == pytest.approx(before if believed is None else believed)


def test_what_was_sent_since_a_header_was_taken_is_played_again() -> None:
    """Where it tells of the call's admission, four seconds ago."""
    made = observer()
    made.succeed(learned(header_at_admission=True, usual_load=0.0), NOW - 10)
    made.own(NOW - 5, 7.0)
    made.own(NOW - 2, 3.0)
    made.header(level(0.5, at=NOW, span=4.0), NOW)
    assert made.level == pytest.approx(5.0 - 2.0 + 3.0 - 2.0), "the first was in it already"


@pytest.mark.parametrize("load", [0.0, 0.3, 0.8])
def test_the_others_load_is_what_our_own_sends_do_not_explain(load: float) -> None:
    made, bucket = observer(), 5.0
    for second in range(1, 60):
        bucket = max(0.0, bucket + load - 1.0)
        send = max(0.0, 5.0 - bucket)
        bucket += send
        made.own(NOW + second, send)
        made.header(level(bucket / ASSUMED_DEPTH_SECONDS, at=NOW + second), NOW + second)
    assert made.others(NOW + 60) == pytest.approx(load, abs=0.05)


# --- 429s -----------------------------------------------------------------------------------------


def test_a_429_is_at_least_full_and_as_long_above_as_it_says() -> None:
    made = observer()
    made.header(level(0.3), NOW)
    made.throttled(throttled(at=NOW + 1, until=NOW + 4), NOW + 1)
    assert made.level == pytest.approx(ASSUMED_DEPTH_SECONDS + 3)


def test_after_a_429_nothing_older_is_believed_and_newer_is() -> None:
    made = observer()
    made.throttled(throttled(until=NOW + 4), NOW)
    full = made.level
    made.header(level(0.1, at=NOW - 1), NOW)
    assert made.level == full
    made.header(level(0.4, at=NOW + 5), NOW + 5)
    assert made.level == pytest.approx(4.0)


# --- usage events ---------------------------------------------------------------------------------


def test_by_events_that_are_two_seconds_late_the_level_is_known_within_a_second_of_drain() -> None:
    """Others come in bursts; we send two seconds of drain every five."""
    chance = random.Random(1)
    made, bucket, errors = observer(), 0.0, []
    windows: dict[float, float] = {}
    for tenth in range(1, 3_000):
        now = NOW + tenth / 10
        bucket = max(0.0, bucket - 0.1)
        if chance.random() < 0.05:
            bucket += (amount := chance.uniform(0.1, 1.2))
            start = window_start(now)
            windows[start] = windows.get(start, 0.0) + amount
        if tenth % 50 == 0:
            bucket += 2.0
            made.own(now, 2.0)
        if tenth % 5 == 0:
            for start in [one for one in windows if one + WINDOW_SECONDS <= now - 2]:
                made.usage(usage({start: windows.pop(start)}, record=str(start)), now)
            made.tick(now)
        if tenth > 600:
            errors.append(abs(at(made, now) - bucket))
    assert made.basis(now) is Basis.EVENTS
    assert sum(errors) / len(errors) < 1.0


# --- minutes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figures", "others"),
    [
        pytest.param({"load": 0.6}, 0.6, id="by tokens"),
        pytest.param({"load": 0.6, "utilization": 0.1}, 0.6, id="tokens win over the utilization"),
        pytest.param({"utilization": 0.6}, 0.6, id="a utilization of unknown meaning: as a load"),
        pytest.param({"utilization": 1.3}, 1.3, id="over 100 %"),
        pytest.param({"load": 0.0}, 0.0, id="nobody was there"),
        pytest.param({}, None, id="no figure is not zero"),
        pytest.param({"accepted": 0, "refused": 0}, None, id="counts tell no work"),
    ],
)
def test_the_others_load_by_the_metric(figures: dict[str, float], others: float | None) -> None:
    made = observer()
    made.minute(minute(NOW - 60, **figures), NOW)
    if others is None:
        assert made.basis(NOW) is Basis.NOTHING
        return
    assert made.basis(NOW) is Basis.METRIC
    assert made.others(NOW) == pytest.approx(others)


def test_a_utilization_that_is_a_level_tells_no_load() -> None:
    made = observer()
    made.succeed(learned(metric_meaning="level"), NOW)
    made.minute(minute(NOW - 60, utilization=0.05), NOW)
    assert made.basis(NOW) is Basis.NOTHING, "a low level at full load would be believed idle"


def test_our_own_calls_are_subtracted_and_never_more_than_there_was() -> None:
    made = observer()
    made.costs.ended(NOW - 90, 30.0)
    made.costs.ended(NOW - 30, 50.0)
    made.minute(minute(NOW - 60, load=0.8), NOW)
    assert made.others(NOW) == pytest.approx(0.3)
    made.minute(minute(NOW, load=0.6), NOW)
    assert made.others(NOW) == pytest.approx((0.3 + 0.0) / 2)


def test_a_minute_that_comes_again_or_late_mends_and_does_not_turn_back() -> None:
    made = observer()
    for ends_at, load in [(NOW - 60, 0.9), (NOW - 60, 0.3), (NOW - 120, 0.6)]:
        made.minute(minute(ends_at, load=load), NOW)
    assert made.others(NOW) == pytest.approx(0.45)
    assert made.minute_until == NOW - 60


# --- what is learned ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "slower"),
    [
        pytest.param(0.4, True, id="nearly empty as played: a part has not been drained"),
        pytest.param(0.7, False, id="full as played: nothing to explain"),
    ],
)
def test_a_refusal_that_nobody_expected_is_a_drain_believed_too_high(
    others: float, slower: bool
) -> None:
    """Metric only: it is answered when all inflow up to the 429 is known."""
    made = observer()
    for number in range(1, 5):
        for second in range(60):
            made.own(NOW + 60 * (number - 1) + second, 0.5)
        made.minute(minute(NOW + 60 * (number - 1), load=others), NOW + 60 * number)
    full = NOW + 240
    made.throttled(throttled(at=full, until=full + 1), full)
    assert made.drain == 1.0
    made.minute(minute(full, load=others), full + 60)
    assert (made.drain < 1.0) is slower


@pytest.mark.parametrize(
    ("others", "slower"),
    [
        pytest.param(0.4, True, id="nearly empty as played: a part has not been drained"),
        pytest.param(1.5, False, id="full as played: nothing to explain"),
    ],
)
def test_so_is_a_refusal_of_others_that_usage_events_tell(others: float, slower: bool) -> None:
    """Two seconds late; it is answered when all events up to it are there."""
    made, refused_at = observer(), NOW + 40
    for second in range(60):
        start = NOW + second
        seen = usage(
            {start: others / 2, start + 0.5: others / 2},
            refused={start: 3 if start == refused_at else 0},
            record=str(second),
        )
        made.usage(seen, start + 2)
        made.tick(start + 2)
        if start + 2 < refused_at:
            assert made.drain == 1.0
    assert (made.drain < 1.0) is slower


def test_refusals_that_go_on_are_not_put_down_to_the_drain_again_and_again() -> None:
    """Nobody knows how full it was before the first one: that is missing once, not every time."""
    made = observer()
    for second in range(60):
        start = NOW + second
        made.usage(
            usage(
                {start: 0.5, start + 0.5: 0.5},
                refused={start: int(second % 6 == 5)},
                record=str(second),
            ),
            start + 2,
        )
        made.tick(start + 2)
    assert made.drain > 0.9
    assert made.level > 5.0, "it was full"


def test_a_refusal_of_long_ago_of_which_all_is_forgotten_teaches_nothing() -> None:
    made = observer()
    made.usage(usage({NOW: 0.4}, refused={NOW: 1}), NOW + 2)
    later = NOW + 2 * KEEP_SECONDS
    made.usage(usage({later: 0.4}, record="2"), later + 2)
    made.tick(later + 2)
    assert made.drain == 1.0
