"""AMQP frames and performatives, as azure-eventhub and the other Azure SDKs read and write them.

azure-eventhub's decoder takes a performative's fields by index and a transfer's payload at index
11, so every field is written, null or not. Source: OASIS AMQP 1.0 part 2, "Transport".
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, NamedTuple

from . import codec
from .codec import NULL, DecodeError, Encoded, Symbol, UInt, UShort
from .errors import AmqpError

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
FRAME_HEADER_BYTES = 8
AMQP_FRAME = 0
SASL_FRAME = 1

UNLIMITED_WINDOW = 0x7FFFFFFF
"""Transfers are consumed as they arrive; link credit is what limits a sender."""


class Performative(IntEnum):
    """The descriptor of a frame's body."""

    OPEN = 0x10
    BEGIN = 0x11
    ATTACH = 0x12
    FLOW = 0x13
    TRANSFER = 0x14
    DISPOSITION = 0x15
    DETACH = 0x16
    END = 0x17
    CLOSE = 0x18
    SASL_MECHANISMS = 0x40
    SASL_INIT = 0x41
    SASL_OUTCOME = 0x44


class Fields:
    """The fields of a performative, each decoded when it is asked for."""

    __slots__ = ("_data", "_spans")

    def __init__(self, data: bytes, spans: list[tuple[int, int]]) -> None:
        self._data = data
        self._spans = spans

    @classmethod
    def read(cls, data: bytes, start: int) -> tuple[Fields, int]:
        """The list that starts at `start`, and the position after it."""
        end = codec.end_of(data, start)
        code = data[start]
        if code == 0x45:
            return cls(data, []), end
        if code not in (0xC0, 0xD0):
            raise DecodeError("a performative's body is not a list")
        body = start + (5 if code == 0xD0 else 2)
        count, at = codec.compound_span(data, code, body, end)
        spans = []
        for _ in range(count):
            item_end = codec.end_of(data, at)
            spans.append((at, item_end))
            at = item_end
        if at != end:
            raise DecodeError("a performative's size does not match its fields")
        return cls(data, spans), end

    def raw(self, index: int) -> Encoded:
        """A field as it came, to be echoed; null where there is none."""
        if index >= len(self._spans):
            return NULL
        start, end = self._spans[index]
        return Encoded(self._data[start:end])

    def value(self, index: int) -> Any:
        """A field's value, or None."""
        if index >= len(self._spans):
            return None
        return codec.decode(self._data, self._spans[index][0])[0]

    def number(self, index: int, default: int) -> int:
        """An unsigned integer field."""
        value = self.value(index)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise DecodeError(f"field {index} is not an unsigned integer")
        return value

    def flag(self, index: int) -> bool:
        """A boolean field; missing is false."""
        value = self.value(index)
        if value is not None and not isinstance(value, bool):
            raise DecodeError(f"field {index} is not a boolean")
        return bool(value)

    def text(self, index: int) -> str | None:
        """A string or symbol field."""
        value = self.value(index)
        if value is not None and not isinstance(value, str):
            raise DecodeError(f"field {index} is not text")
        return value

    def composite(self, index: int) -> Fields | None:
        """A described list, such as a source or a target."""
        if index >= len(self._spans):
            return None
        start = self._spans[index][0]
        if self._data[start] == 0x40:
            return None
        if self._data[start] != 0:
            raise DecodeError(f"field {index} is not a described list")
        return Fields.read(self._data, codec.end_of(self._data, start + 1))[0]


class Frame(NamedTuple):
    """One frame: `performative` is None for an empty one (a heartbeat)."""

    kind: int
    channel: int
    performative: int | None
    fields: Fields
    payload: bytes


_NO_FIELDS = Fields(b"", [])


def parse(data: bytes) -> Frame:
    """The frame in `data`, which holds exactly one."""
    body = 4 * data[4]
    if body < FRAME_HEADER_BYTES or body > len(data):
        raise DecodeError("a frame's data offset is out of range")
    kind, channel = data[5], int.from_bytes(data[6:8], "big")
    if body == len(data):
        return Frame(kind, channel, None, _NO_FIELDS, b"")
    if data[body] != 0:
        raise DecodeError("a frame's body is not a described list")
    descriptor, at = codec.decode(data, body + 1)
    if not isinstance(descriptor, int):
        raise DecodeError("a performative's descriptor is not a number")
    fields, end = Fields.read(data, at)
    return Frame(kind, channel, descriptor, fields, data[end:])


def _frame(channel: int, code: int, fields: list[Any], *, kind: int = AMQP_FRAME) -> bytes:
    body = codec.described(code, fields)
    return struct.pack(">IBBH", len(body) + FRAME_HEADER_BYTES, 2, kind, channel) + body


def error_value(error: AmqpError | None) -> Encoded:
    """An error as it is carried by detach, end, close and rejected."""
    if error is None:
        return NULL
    return codec.described(0x1D, [Symbol(error.condition), error.description, None])


ACCEPTED = Encoded(b"\x00\x53\x24\x45")
"""The outcome of a message that is stored."""


def rejected(error: AmqpError) -> Encoded:
    """The outcome of a message that is not taken."""
    return codec.described(0x25, [error_value(error)])


def sasl_mechanisms(*names: str) -> bytes:
    """The ways in which a client may introduce itself."""
    return _frame(0, Performative.SASL_MECHANISMS, [codec.symbols(*names)], kind=SASL_FRAME)


def sasl_outcome(code: int) -> bytes:
    """0 is welcome, 1 is refused."""
    outcome = [codec.UByte(code), b""]
    return _frame(0, Performative.SASL_OUTCOME, outcome, kind=SASL_FRAME)


def open_(*, container_id: str, max_frame_bytes: int, channel_max: int, idle_ms: int) -> bytes:
    """The server's side of a connection."""
    fields = [container_id, None, UInt(max_frame_bytes), UShort(channel_max), UInt(idle_ms)]
    return _frame(0, Performative.OPEN, fields + [None] * 5)


def begin(*, channel: int, handle_max: int) -> bytes:
    """The server's side of a session, on the channel that the client chose."""
    window = UInt(UNLIMITED_WINDOW)
    fields = [UShort(channel), UInt(0), window, window, UInt(handle_max), None, None, None]
    return _frame(channel, Performative.BEGIN, fields)


def attach(
    *,
    channel: int,
    asked: Fields,
    server_receives: bool,
    refused: bool,
    max_message_bytes: int,
) -> bytes:
    """The server's side of a link, echoing what was asked for.

    A refused link is attached without source and target and detached at once with the reason:
    that is how the service does it, and what the SDKs wait for.
    """
    fields = [
        asked.raw(0),
        asked.raw(1),
        server_receives,
        asked.raw(3),
        asked.raw(4),
        NULL if refused else asked.raw(5),
        NULL if refused else asked.raw(6),
        None,
        None,
        None if server_receives else UInt(0),
        codec.ULong(max_message_bytes),
        None,
        None,
        None,
    ]
    return _frame(channel, Performative.ATTACH, fields)


def flow(
    *,
    channel: int,
    next_incoming_id: int,
    next_outgoing_id: int,
    handle: int | None = None,
    delivery_count: int = 0,
    credit: int = 0,
    drain: bool = False,
) -> bytes:
    """The session's windows and, with a handle, a link's credit."""
    window = UInt(UNLIMITED_WINDOW)
    fields: list[Any] = [UInt(next_incoming_id), window, UInt(next_outgoing_id), window]
    if handle is None:
        fields += [None] * 7
    else:
        fields += [UInt(handle), UInt(delivery_count), UInt(credit), UInt(0), drain, False, None]
    return _frame(channel, Performative.FLOW, fields)


def disposition(*, channel: int, delivery_id: int, outcome: Encoded) -> bytes:
    """The settled outcome of a message that the server received."""
    fields = [True, UInt(delivery_id), UInt(delivery_id), True, outcome, None]
    return _frame(channel, Performative.DISPOSITION, fields)


def detach(*, channel: int, handle: int, error: AmqpError | None) -> bytes:
    """The end of a link."""
    fields = [UInt(handle), True, error_value(error)]
    return _frame(channel, Performative.DETACH, fields)


def end(*, channel: int, error: AmqpError | None) -> bytes:
    """The end of a session."""
    return _frame(channel, Performative.END, [error_value(error)])


def close(error: AmqpError | None) -> bytes:
    """The end of a connection."""
    return _frame(0, Performative.CLOSE, [error_value(error)])


TRANSFER_OVERHEAD_BYTES = 64
"""No less than what `transfer` puts before the payload."""


def transfer(
    *, channel: int, handle: int, delivery_id: int, tag: int, more: bool, payload: bytes
) -> bytes:
    """A settled transfer, built by hand: this is the hot path of every consumer."""
    return (
        b"%b\x02\x00%b\x00S\x14\xd0\x00\x00\x00\x1c\x00\x00\x00\x0b\x70%b\x70%b\xa0\x04%bCA%b@@@@@%b"
        % (
            (len(payload) + 44).to_bytes(4, "big"),
            channel.to_bytes(2, "big"),
            handle.to_bytes(4, "big"),
            delivery_id.to_bytes(4, "big"),
            tag.to_bytes(4, "big"),
            b"\x41" if more else b"\x42",
            payload,
        )
    )
