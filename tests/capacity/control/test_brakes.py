"""Fired alerts stop us until they are resolved, expired or outlived; harm slows us down."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ptu_optimizer.capacity.control.brakes import (
    AFTER_REFUSAL,
    HARM_SHARE,
    LEAST_FACTOR,
    STEP_BACK,
    STEP_FORTH,
    Brakes,
    HarmBrake,
)
from ptu_optimizer.capacity.signals.alert import Alert
from ptu_optimizer.capacity.signals.usage import UsageWindows
from tests.support.alerts import EXPIRY_SECONDS, FIRED_AT, RESOLVED_AT, fired_alert, resolved_alert
from tests.support.signals import NOW, THERE, minute, usage

REFUSALS: dict[str, Any] = {"metric": "AzureOpenAIRequests", "value": None}
"""What makes an alert one on calls that were refused: it tells no utilization."""


def stops(
    *alerts: Alert,
    now: float = FIRED_AT + 10,
    known_until: float = -math.inf,
    others: float = 0.9,
    limit: float = 0.2,
) -> bool:
    brakes = Brakes()
    for alert in alerts:
        brakes.put(alert)
    return brakes.active(now=now, known_until=known_until, others=others, limit=limit) is not None


# --- alerts ---------------------------------------------------------------------------------------


def test_without_an_alert_nothing_stops_us() -> None:
    assert not stops()


@pytest.mark.parametrize(
    ("now", "stopped"),
    [
        pytest.param(FIRED_AT, True, id="just fired"),
        pytest.param(FIRED_AT + EXPIRY_SECONDS - 0.001, True, id="just before it expires"),
        pytest.param(FIRED_AT + EXPIRY_SECONDS, False, id="expired"),
    ],
)
def test_a_fired_alert_stops_us_until_it_expires(now: float, stopped: bool) -> None:
    assert stops(fired_alert(), now=now) is stopped


@pytest.mark.parametrize(
    ("alerts", "stopped"),
    [
        pytest.param([fired_alert(), resolved_alert()], False, id="resolved"),
        pytest.param([resolved_alert(), fired_alert()], False, id="resolved, out of order"),
        pytest.param([fired_alert(), fired_alert()], True, id="a duplicate"),
        pytest.param(
            [resolved_alert(), fired_alert(fired_at=RESOLVED_AT + 1)], True, id="fired again"
        ),
        pytest.param(
            [resolved_alert(), fired_alert(fired_at=RESOLVED_AT)],
            False,
            id="resolved and fired at one time: the resolution is the later",
        ),
        pytest.param(
            [resolved_alert(), fired_alert(alert_id="another", rule="another")],
            True,
            id="another one is still there",
        ),
    ],
)
def test_a_resolved_alert_stops_nobody(alerts: list[Alert], stopped: bool) -> None:
    assert stops(*alerts, now=RESOLVED_AT + 10) is stopped


@pytest.mark.parametrize(
    ("newer", "stopped"),
    [
        pytest.param(-0.001, True, id="an older level"),
        pytest.param(0.0, True, id="a level of the same moment"),
        pytest.param(0.001, False, id="a newer level"),
    ],
)
def test_something_newer_and_better_outlives_an_alert(newer: float, stopped: bool) -> None:
    alert = fired_alert()
    assert stops(alert, known_until=alert.observed_at + newer) is stopped


@pytest.mark.parametrize(
    ("others", "stopped"),
    [
        pytest.param(0.2, False, id="at the lower limit: the load is ours"),
        pytest.param(0.201, True, id="just above it: the load is theirs"),
    ],
)
def test_a_load_that_may_be_our_own_stops_us_only_if_others_are_busy(
    others: float, stopped: bool
) -> None:
    assert stops(fired_alert(), others=others) is stopped
    assert stops(fired_alert(**REFUSALS), others=others), "calls were refused, whoever filled it"


def test_who_is_stopped_hears_by_which_alert_and_until_when() -> None:
    brakes = Brakes()
    brakes.put(fired_alert())
    found = brakes.active(now=FIRED_AT, known_until=-math.inf, others=0.9, limit=0.2)
    assert found is not None
    assert (found.source, found.until) == ("alert ptu-is-full", FIRED_AT + EXPIRY_SECONDS)


# --- harm that the metric counts ------------------------------------------------------------------


def factor_after(*minutes: tuple[int | None, int | None, int]) -> float:
    """Minutes by how many calls were accepted and refused, and how many of the latter were ours."""
    brake = HarmBrake()
    for number, (accepted, refused, ours) in enumerate(minutes):
        brake.minute(minute(NOW + 60 * number, accepted=accepted, refused=refused), ours=ours)
    return brake.factor


@pytest.mark.parametrize(
    ("accepted", "refused", "ours", "factor"),
    [
        pytest.param(1_000, 0, 0, 1.0, id="none refused"),
        pytest.param(998, 2, 0, 1.0, id="at the share that is nobody's harm"),
        pytest.param(997, 3, 0, STEP_BACK, id="just above it"),
        pytest.param(997, 3, 3, 1.0, id="only ours"),
        pytest.param(990, 10, 6, STEP_BACK, id="ours and theirs"),
        pytest.param(990, 3, 9, 1.0, id="more of ours than the metric tells"),
        pytest.param(0, 5, 0, STEP_BACK, id="all refused"),
        pytest.param(None, 5, 0, STEP_BACK, id="accepted is missing"),
        pytest.param(0, 0, 0, 1.0, id="no calls at all"),
        pytest.param(1_000, None, 0, 1.0, id="nobody counts refusals"),
    ],
)
def test_refusals_of_others_take_off_the_rate(
    accepted: int | None, refused: int | None, ours: int, factor: float
) -> None:
    assert pytest.approx(0.002) == HARM_SHARE
    assert factor_after((accepted, refused, ours)) == pytest.approx(factor)


def test_quiet_minutes_mend_it_and_never_beyond_the_whole() -> None:
    harm, quiet = (90, 10, 0), (100, 0, 0)
    assert factor_after(harm, quiet) == pytest.approx(STEP_BACK + STEP_FORTH)
    assert factor_after(harm, *[quiet] * 9) == 1.0
    assert factor_after(*[harm] * 99) == LEAST_FACTOR
    assert factor_after(harm, *[(100, None, 0)] * 9) == 1.0, "also where nobody counts"


def test_a_refusal_of_our_own_is_not_waited_for() -> None:
    brake = HarmBrake()
    brake.refused()
    brake.refused()
    assert brake.factor == AFTER_REFUSAL


@pytest.mark.parametrize(
    ("first", "again", "factor"),
    [
        pytest.param((90, 10), (90, 10), STEP_BACK, id="harm, read twice"),
        pytest.param((90, 10), (90, 12), STEP_BACK, id="harm, mended to more harm"),
        pytest.param((90, None), (90, 10), STEP_BACK, id="harm that came late"),
        pytest.param((90, 10), (9_000, 10), STEP_BACK, id="mended to none: it mends by itself"),
    ],
)
def test_a_minute_that_comes_again_counts_once(
    first: tuple[int, int | None], again: tuple[int, int | None], factor: float
) -> None:
    brake = HarmBrake()
    for accepted, refused in (first, again, again):
        brake.minute(minute(accepted=accepted, refused=refused), ours=0)
    assert brake.factor == pytest.approx(factor)


def test_a_quiet_minute_read_again_mends_nothing_twice() -> None:
    brake = HarmBrake()
    brake.minute(minute(NOW, accepted=90, refused=10), ours=0)
    for _ in range(9):
        brake.minute(minute(NOW + 60, accepted=100, refused=0), ours=0)
    assert brake.factor == pytest.approx(STEP_BACK + STEP_FORTH)
    for number in range(2, 99):
        brake.minute(minute(NOW + 60 * number, accepted=100, refused=0), ours=0)
    assert brake.factor == 1.0


# --- when others were refused ---------------------------------------------------------------------


def test_at_first_nobody_was_refused() -> None:
    assert HarmBrake().others_refused_at == 0.0


@pytest.mark.parametrize(
    ("seen", "at"),
    [
        pytest.param(usage({NOW - 2: 1.0}, refused={NOW - 3: 1, NOW - 1: 4}), NOW - 1, id="events"),
        pytest.param(usage({NOW - 2: 1.0}), 0.0, id="events of no refusal"),
        pytest.param(usage({}, refused={NOW - 1: 4}, source=THERE), 0.0, id="our own"),
        pytest.param(usage({}, refused={NOW + 3_600: 1}), NOW, id="of a clock that is ahead"),
    ],
)
def test_usage_events_tell_when_others_were_refused(seen: UsageWindows, at: float) -> None:
    brake = HarmBrake()
    brake.usage(seen, now=NOW)
    assert brake.others_refused_at == at


@pytest.mark.parametrize(
    ("refused", "ours", "at"),
    [
        pytest.param(50, 0, NOW, id="others"),
        pytest.param(50, 50, 0.0, id="our own"),
        pytest.param(None, 0, 0.0, id="nobody counts"),
    ],
)
def test_so_does_a_minute_of_the_metric(refused: int | None, ours: int, at: float) -> None:
    brake = HarmBrake()
    brake.minute(minute(NOW, accepted=950, refused=refused), ours=ours)
    assert brake.others_refused_at == at


def test_the_newest_refusal_counts_in_whatever_order_they_are_told() -> None:
    brake = HarmBrake()
    for at in (NOW - 30, NOW - 5, NOW - 5, NOW - 60):
        brake.others_refused(at=at)
    assert brake.others_refused_at == NOW - 5
