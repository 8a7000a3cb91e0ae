"""Where in a partition a receiver starts: the selector filter that the SDKs send.

Sources: `event_position_selector` in azure-eventhub 5.15 `_utils.py`, which writes the value in
quotes; `AmqpFilter.cs` of Azure.Messaging.EventHubs 5.12, which writes it without.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from .errors import Condition, LinkRefused

_SELECTOR = re.compile(
    r"\s*amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time)\s*(>=?)\s*"
    r"(?:'([^']*)'|([^\s']+))\s*"
)
_INTEGER = re.compile(r"-?\d{1,18}")


class PositionKind(StrEnum):
    """What a starting position counts in."""

    OFFSET = "offset"
    SEQUENCE_NUMBER = "sequence-number"
    ENQUEUED_TIME = "enqueued-time"
    LATEST = "latest"


class StartingPosition(NamedTuple):
    """The first event is the one at `value` if `inclusive`, else the one after it."""

    kind: PositionKind
    value: int
    inclusive: bool


FROM_START = StartingPosition(PositionKind.OFFSET, -1, False)


def parse_selector(selector: str | None) -> StartingPosition:
    """The starting position of a receiver; none at all means the oldest event.

    Raises `LinkRefused` if the filter is not one that the service knows.
    """
    if selector is None:
        return FROM_START
    match = _SELECTOR.fullmatch(selector)
    if match is None:
        raise LinkRefused(
            Condition.INVALID_FIELD, f"The filter expression '{selector}' is not supported."
        )
    kind, operator, quoted, bare = match.groups()
    value = bare if quoted is None else quoted
    if kind == PositionKind.OFFSET and value == "@latest":
        return StartingPosition(PositionKind.LATEST, 0, False)
    if not _INTEGER.fullmatch(value):
        name = kind.replace("-", " ")
        raise LinkRefused(Condition.ARGUMENT_ERROR, f"The supplied {name} '{value}' is invalid.")
    return StartingPosition(PositionKind(kind), int(value), operator == ">=")
