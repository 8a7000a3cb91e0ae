"""An alert is a brake until it is resolved or expires, in whatever order its deliveries come."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptu_optimizer.capacity.signals.alert import Alert, brake, merge
from ptu_optimizer.capacity.signals.alert_schema import Condition
from ptu_optimizer.capacity.signals.reading import InvalidReading, Reading, ReadingKind
from tests.support.alerts import (
    ALERT_ID,
    EXPIRY_SECONDS,
    FIRED_AT,
    RESOLVED_AT,
    WINDOW_END_AT,
    fired_alert,
    resolved_alert,
)

EXPIRES_AT = FIRED_AT + EXPIRY_SECONDS


# --- as a reading ---------------------------------------------------------------------------------


def test_a_fired_alert_is_a_reading_of_its_metric_until_it_expires() -> None:
    assert fired_alert().reading() == Reading(
        deployment="ptu-1",
        kind=ReadingKind.ALERT,
        value=93.1 / 100,
        source="alert ptu-is-full",
        observed_at=WINDOW_END_AT,
        until=EXPIRES_AT,
    )


@pytest.mark.parametrize(
    ("value", "read"),
    [
        pytest.param(1.04, 1.04, id="above 100 %"),
        pytest.param(0.0, 0.0, id="a measured zero stays one"),
        pytest.param(None, 1.0, id="no utilization: full"),
    ],
)
def test_the_value_of_a_reading(value: float | None, read: float) -> None:
    reading = fired_alert(value=value).reading()
    assert reading is not None
    assert reading.value == read


def test_a_resolved_alert_is_no_reading() -> None:
    assert resolved_alert().reading() is None


# --- as a record ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "alert",
    [
        pytest.param(fired_alert(), id="fired"),
        pytest.param(resolved_alert(), id="resolved"),
        pytest.param(
            fired_alert(value=None, threshold=None, metric="", operator=""), id="of no metric"
        ),
    ],
)
def test_an_alert_survives_its_record(alert: Alert) -> None:
    record = alert.record(ttl_seconds=4_500) | {"_etag": "x", "_ts": 1}
    assert Alert.from_record(record) == alert


def test_a_record_is_addressed_by_deployment_and_dies_of_its_ttl() -> None:
    record = fired_alert().record(ttl_seconds=4_500)
    assert (record["deployment"], record["type"], record["ttl"]) == ("ptu-1", "alert", 4_500)
    assert record["state"] == "fired"


def test_the_id_of_a_record_is_one_that_cosmos_takes_and_the_same_in_any_case() -> None:
    record_id = fired_alert().record_id
    assert record_id.startswith("alert:")
    assert not set(record_id) & set("/\\?#"), "an alert's own id has slashes"
    assert fired_alert(alert_id=ALERT_ID.upper()).record_id == record_id
    assert fired_alert(alert_id=ALERT_ID + "0").record_id != record_id


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"value": "high"}, id="a value that is no number"),
        pytest.param({"value": "NaN"}, id="a value of NaN"),
        pytest.param({"value": -0.1}, id="a negative value"),
        pytest.param({"threshold": "Infinity"}, id="a threshold without end"),
        pytest.param({"fired_at": None}, id="fired at no time"),
        pytest.param({"expires_at": math.inf}, id="never expires"),
        pytest.param({"observed_at": "yesterday"}, id="observed at no time"),
        pytest.param({"state": "acknowledged"}, id="an unknown state"),
        pytest.param({"state": "resolved"}, id="resolved at no time"),
        pytest.param({"resolved_at": RESOLVED_AT}, id="fired, and yet resolved"),
        pytest.param({"deployment": None}, id="of no deployment"),
        pytest.param({"rule": 7}, id="a rule that is no text"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidReading):
        Alert.from_record(fired_alert().record(ttl_seconds=1) | change)


@pytest.mark.parametrize(
    "lost", sorted(fired_alert().record(ttl_seconds=1).keys() - {"id", "type", "ttl"})
)
def test_a_record_that_lacks_a_part_is_refused(lost: str) -> None:
    record = fired_alert().record(ttl_seconds=1)
    del record[lost]
    with pytest.raises(InvalidReading):
        Alert.from_record(record)


# --- deliveries in any order ----------------------------------------------------------------------

FIRED_AGAIN = fired_alert(fired_at=RESOLVED_AT + 60, expires_at=RESOLVED_AT + 60 + EXPIRY_SECONDS)


@pytest.mark.parametrize(
    ("deliveries", "state"),
    [
        pytest.param([fired_alert()], "fired", id="fired"),
        pytest.param([fired_alert(), resolved_alert()], "resolved", id="fired, resolved"),
        pytest.param([resolved_alert(), fired_alert()], "resolved", id="the other way round"),
        pytest.param([fired_alert(), fired_alert()], "fired", id="fired twice"),
        pytest.param(
            [fired_alert(), resolved_alert(), fired_alert()], "resolved", id="a late repetition"
        ),
        pytest.param(
            [fired_alert(), resolved_alert(), FIRED_AGAIN], "fired", id="fired again afterwards"
        ),
        pytest.param([FIRED_AGAIN, resolved_alert(), fired_alert()], "fired", id="that backwards"),
        pytest.param(
            [fired_alert(), resolved_alert(resolved_at=FIRED_AT)],
            "resolved",
            id="resolved at the time of its firing",
        ),
        pytest.param(
            [fired_alert(), resolved_alert(fired_at=RESOLVED_AT)],
            "resolved",
            id="a resolution that names its own time as that of the firing",
        ),
    ],
)
def test_the_later_event_counts(deliveries: list[Alert], state: str) -> None:
    known: Alert | None = None
    for delivered in deliveries:
        known = merge(known, delivered)
    assert known is not None
    assert known.state == state


def test_the_same_delivery_once_more_changes_nothing() -> None:
    stored = merge(None, fired_alert())
    assert merge(stored, fired_alert()) is stored


EVENTS = st.builds(
    lambda at, was_resolved: (
        resolved_alert(fired_at=FIRED_AT + at, resolved_at=FIRED_AT + at)
        if was_resolved
        else fired_alert(fired_at=FIRED_AT + at)
    ),
    st.integers(0, 5),
    st.booleans(),
)


@given(st.lists(EVENTS, min_size=1, max_size=4))
def test_no_order_and_no_repetition_makes_a_difference(events: list[Alert]) -> None:
    ends = set()
    for order in itertools.permutations([*events, events[0]]):
        known: Alert | None = None
        for event in order:
            known = merge(known, event)
        assert known is not None
        ends.add((known.state, known.fired_at, known.resolved_at))
    assert len(ends) == 1


# --- the brake ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alert", "now", "brakes"),
    [
        pytest.param(fired_alert(), FIRED_AT, True, id="just fired"),
        pytest.param(fired_alert(), EXPIRES_AT - 0.001, True, id="just before it expires"),
        pytest.param(fired_alert(), EXPIRES_AT, False, id="expired"),
        pytest.param(resolved_alert(), RESOLVED_AT, False, id="resolved"),
    ],
)
def test_an_alert_brakes_while_it_is_active(alert: Alert, now: float, brakes: bool) -> None:
    readings = brake([alert.record(ttl_seconds=1)], now=now)
    assert readings == ([alert.reading()] if brakes else [])


def test_several_alerts_brake_each_for_itself() -> None:
    other = fired_alert(alert_id="another", rule="refusals", value=None)
    records = [fired_alert().record(ttl_seconds=1), other.record(ttl_seconds=1)]
    assert [reading.source for reading in brake(records, now=FIRED_AT)] == [
        "alert ptu-is-full",
        "alert refusals",
    ]


def test_other_records_of_the_container_and_broken_ones_are_left_out() -> None:
    level = Reading(
        deployment="ptu-1", kind=ReadingKind.LEVEL, value=0.5, source="w", observed_at=FIRED_AT
    ).record(record_id="reading:w", ttl_seconds=600)
    broken = fired_alert().record(ttl_seconds=1) | {"state": Condition.RESOLVED.value}
    good = fired_alert().record(ttl_seconds=1)
    assert len(brake([level, {}, broken, good], now=FIRED_AT)) == 1
