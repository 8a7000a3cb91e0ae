"""The selector filters that the SDKs send mean what Azure takes them to mean."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from azure.eventhub._utils import event_position_selector

from local.event_hubs.errors import Condition, LinkRefused
from local.event_hubs.positions import FROM_START, PositionKind, StartingPosition, parse_selector

AN_INSTANT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("position", "inclusive", "expected"),
    [
        ("-1", False, FROM_START),
        ("@latest", False, StartingPosition(PositionKind.LATEST, 0, False)),
        ("1234", False, StartingPosition(PositionKind.OFFSET, 1234, False)),
        ("1234", True, StartingPosition(PositionKind.OFFSET, 1234, True)),
        (42, False, StartingPosition(PositionKind.SEQUENCE_NUMBER, 42, False)),
        (42, True, StartingPosition(PositionKind.SEQUENCE_NUMBER, 42, True)),
        (
            AN_INSTANT,
            False,
            StartingPosition(PositionKind.ENQUEUED_TIME, 1_767_323_045_678, False),
        ),
    ],
)
def test_what_azure_eventhub_sends_is_understood(
    position: Any, inclusive: bool, expected: StartingPosition
) -> None:
    assert parse_selector(event_position_selector(position, inclusive).decode()) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("amqp.annotation.x-opt-offset > -1", FROM_START),
        ("amqp.annotation.x-opt-offset > @latest", StartingPosition(PositionKind.LATEST, 0, False)),
        ("amqp.annotation.x-opt-offset > 1234", StartingPosition(PositionKind.OFFSET, 1234, False)),
        ("amqp.annotation.x-opt-offset >= 1234", StartingPosition(PositionKind.OFFSET, 1234, True)),
        (
            "amqp.annotation.x-opt-sequence-number > 42",
            StartingPosition(PositionKind.SEQUENCE_NUMBER, 42, False),
        ),
        (
            "amqp.annotation.x-opt-sequence-number >= 42",
            StartingPosition(PositionKind.SEQUENCE_NUMBER, 42, True),
        ),
        (
            "amqp.annotation.x-opt-enqueued-time > 1767323045678",
            StartingPosition(PositionKind.ENQUEUED_TIME, 1_767_323_045_678, False),
        ),
        (
            "amqp.annotation.x-opt-enqueued-time >= 1767323045678 ",
            StartingPosition(PositionKind.ENQUEUED_TIME, 1_767_323_045_678, True),
        ),
    ],
)
def test_a_value_without_quotes_is_understood(selector: str, expected: StartingPosition) -> None:
    """As Azure.Messaging.EventHubs (.NET) writes it: `BuildFilterExpression` in `AmqpFilter.cs`."""
    assert parse_selector(selector) == expected


def test_no_filter_is_the_oldest_event() -> None:
    assert parse_selector(None) == FROM_START


@pytest.mark.parametrize(
    ("selector", "condition"),
    [
        ("amqp.annotation.x-opt-offset > 'tomorrow'", Condition.ARGUMENT_ERROR),
        ("amqp.annotation.x-opt-sequence-number > ''", Condition.ARGUMENT_ERROR),
        ("amqp.annotation.x-opt-sequence-number > '@latest'", Condition.ARGUMENT_ERROR),
        ("amqp.annotation.x-opt-offset > tomorrow", Condition.ARGUMENT_ERROR),
        ("amqp.annotation.x-opt-sequence-number > @latest", Condition.ARGUMENT_ERROR),
        ("amqp.annotation.x-opt-offset < '5'", Condition.INVALID_FIELD),
        ("amqp.annotation.x-opt-offset < 5", Condition.INVALID_FIELD),
        ("amqp.annotation.x-opt-offset > '5", Condition.INVALID_FIELD),
        ("amqp.annotation.x-opt-offset > 5'", Condition.INVALID_FIELD),
        ("amqp.annotation.x-opt-offset > 5 or true", Condition.INVALID_FIELD),
        ("amqp.annotation.x-opt-offset >", Condition.INVALID_FIELD),
        ("colour = 'red'", Condition.INVALID_FIELD),
        ("", Condition.INVALID_FIELD),
    ],
)
def test_a_filter_that_azure_does_not_know_is_refused(selector: str, condition: Condition) -> None:
    with pytest.raises(LinkRefused) as refused:
        parse_selector(selector)
    assert refused.value.condition == condition
