"""Events inside AMQP messages: taken apart when published, stamped when stored.

An event is never fully decoded: it is cut into its header, the pairs of its message annotations
and the rest, and put together again with the annotations that the service assigns.
Source: OASIS AMQP 1.0 part 3, "Messaging"; azure-eventhub 5.15 `_constants.py` for the names.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from . import codec
from .codec import DecodeError, Described, Encoded, Int, Symbol, Timestamp
from .errors import Condition, DeliveryRejected

BATCH_FORMAT = 0x80013700
"""Message format of a batch: each data section holds one whole encoded event."""

MAX_PARTITION_KEY_CHARACTERS = 128

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS = 0x70, 0x71, 0x72
PROPERTIES, APPLICATION_PROPERTIES, DATA, VALUE = 0x73, 0x74, 0x75, 0x77
FOOTER = 0x78

_PARTITION_KEY = b"x-opt-partition-key"
_SEQUENCE, _OFFSET, _ENQUEUED = "x-opt-sequence-number", "x-opt-offset", "x-opt-enqueued-time"
_ASSIGNED = (_SEQUENCE.encode(), _OFFSET.encode(), _ENQUEUED.encode())
_MAP32 = struct.Struct(">II")


class Event(NamedTuple):
    """A published event: encoded pieces of its message.

    `annotations` are the encoded keys and values, `annotation_count` how many of both together.
    """

    header: bytes
    annotations: bytes
    annotation_count: int
    rest: bytes


class Record(NamedTuple):
    """A stored event, ready to be delivered: its first `header_bytes` are the header section."""

    header_bytes: int
    body: bytes


class Section(NamedTuple):
    """Where one section of a message is: the descriptor starts at `start`, its value at `value`."""

    code: int
    start: int
    value: int
    end: int


def sections(message: bytes) -> Iterator[Section]:
    """The sections of an encoded message, in order."""
    start = 0
    while start < len(message):
        if message[start] != 0:
            raise DecodeError("a message section has no descriptor")
        value = codec.end_of(message, start + 1)
        code = message[start + 2] if message[start + 1] == 0x53 else _wide_code(message, start)
        end = codec.end_of(message, value)
        yield Section(code, start, value, end)
        start = end


def _wide_code(message: bytes, start: int) -> int:
    code, _ = codec.decode(message, start + 1)
    if not isinstance(code, int):
        raise DecodeError("a message section's descriptor is not a number")
    return code


def events_of(message: bytes, message_format: int) -> list[Event]:
    """The events in a published message. Raises `DeliveryRejected` if it is not valid AMQP."""
    try:
        envelope = _event(message)
        if message_format != BATCH_FORMAT:
            return [envelope]
        inner = (_binary(envelope.rest, s) for s in sections(envelope.rest) if s.code == DATA)
        return [_event(encoded, envelope) for encoded in inner]
    except DecodeError as error:
        raise DeliveryRejected(
            Condition.DECODE_ERROR, f"The message could not be decoded: {error}"
        ) from error


def _binary(message: bytes, section: Section) -> bytes:
    code = message[section.value]
    if code not in (0xA0, 0xB0):
        raise DecodeError("a data section does not hold binary data")
    return message[section.value + (2 if code == 0xA0 else 5) : section.end]


def _event(message: bytes, envelope: Event | None = None) -> Event:
    header = annotations = b""
    count = 0
    rest = len(message)
    for section in sections(message):
        if section.code == HEADER:
            header = message[: section.end]
        elif section.code == MESSAGE_ANNOTATIONS:
            annotations, count = _annotation_pairs(message, section)
        elif section.code != DELIVERY_ANNOTATIONS:
            rest = min(rest, section.start)
    if not count and envelope is not None:
        annotations, count = envelope.annotations, envelope.annotation_count
    return Event(header, annotations, count, message[rest:])


def _annotation_pairs(message: bytes, section: Section) -> tuple[bytes, int]:
    code = message[section.value]
    if code not in (0xC1, 0xD1):
        raise DecodeError("message annotations are not a map")
    body = section.value + (5 if code == 0xD1 else 2)
    count, first = codec.compound_span(message, code, body, section.end)
    pairs = message[first : section.end]
    if any(name in pairs for name in _ASSIGNED):
        # An event that was received and sent on: what the service assigned is assigned anew.
        annotations, _ = codec.decode(message, section.value)
        kept = [
            codec.encode(item)
            for key, value in annotations.items()
            if str(key).encode() not in _ASSIGNED
            for item in (Symbol(key), value)
        ]
        return b"".join(kept), len(kept)
    return pairs, count


def partition_key_of(events: list[Event]) -> str | None:
    """The partition key that a message was published with: all its events share it."""
    if not events or _PARTITION_KEY not in events[0].annotations:
        return None
    pairs, count = events[0].annotations, events[0].annotation_count
    try:
        annotations, _ = codec.decode(b"\xd1" + _MAP32.pack(len(pairs) + 4, count) + pairs)
    except DecodeError as error:
        raise DeliveryRejected(Condition.DECODE_ERROR, str(error)) from error
    key = annotations.get("x-opt-partition-key")
    if key is None or key == "":
        return None
    if not isinstance(key, str) or len(key) > MAX_PARTITION_KEY_CHARACTERS:
        raise DeliveryRejected(
            Condition.ARGUMENT_ERROR,
            "The partition key must be a string of at most "
            f"{MAX_PARTITION_KEY_CHARACTERS} characters.",
        )
    return key


def stamp(event: Event, *, sequence: int, offset: int, enqueued_ms: int) -> Record:
    """The record of `event` with the annotations that the service assigns."""
    offset_text = b"%d" % offset
    assigned = (
        b"\xa3\x15x-opt-sequence-number\x81%b\xa3\x0cx-opt-offset\xa1%c%b\xa3\x13x-opt-enqueued-time\x83%b"
        % (
            sequence.to_bytes(8, "big"),
            len(offset_text),
            offset_text,
            enqueued_ms.to_bytes(8, "big"),
        )
    )
    pairs = event.annotations
    size = _MAP32.pack(4 + len(assigned) + len(pairs), event.annotation_count + 6)
    header = event.header
    body = b"%b\x00\x53\x72\xd1%b%b%b%b" % (header, size, assigned, pairs, event.rest)
    return Record(len(header), body)


def with_delivery_annotations(record: Record, annotations: bytes) -> bytes:
    """A record's message with delivery annotations where the standard puts them."""
    return record.body[: record.header_bytes] + annotations + record.body[record.header_bytes :]


def runtime_metrics(*, sequence: int, offset: int, enqueued_ms: int, retrieved_ms: int) -> Encoded:
    """What `track_last_enqueued_event_properties` asks for: where the partition ends just now."""
    return codec.described(
        DELIVERY_ANNOTATIONS,
        {
            Symbol("last_enqueued_sequence_number"): sequence,
            Symbol("last_enqueued_offset"): str(offset),
            Symbol("last_enqueued_time_utc"): Timestamp(enqueued_ms),
            Symbol("runtime_info_retrieval_time_utc"): Timestamp(retrieved_ms),
        },
    )


class Request(NamedTuple):
    """A request to `$cbs` or `$management`."""

    message_id: Encoded
    reply_to: str | None
    properties: dict[str, Any]
    body: Any


class Reply(NamedTuple):
    """The answer to a request; `status` is an HTTP status code."""

    status: int
    description: str
    body: dict[str, Any] | None = None


def read_request(message: bytes) -> Request:
    """A request message, decoded. Raises `DeliveryRejected` if it is not valid AMQP."""
    message_id: Encoded = codec.NULL
    reply_to: str | None = None
    properties: dict[str, Any] = {}
    body: Any = None
    try:
        for section in sections(message):
            if section.code not in (PROPERTIES, APPLICATION_PROPERTIES, VALUE):
                continue
            value, _ = codec.decode(message, section.value)
            if section.code == PROPERTIES and isinstance(value, list):
                # echoed as it came, since its type (uuid, string, number) is the client's choice
                message_id = _encoded_message_id(message, section)
                reply_to = value[4] if len(value) > 4 and isinstance(value[4], str) else None
            elif section.code == APPLICATION_PROPERTIES and isinstance(value, dict):
                properties = value
            elif section.code == VALUE:
                body = value.value if isinstance(value, Described) else value
    except DecodeError as error:
        raise DeliveryRejected(Condition.DECODE_ERROR, str(error)) from error
    return Request(message_id, reply_to, properties, body)


def _encoded_message_id(message: bytes, section: Section) -> Encoded:
    code = message[section.value]
    if code == 0x45:
        return codec.NULL
    first = section.value + (9 if code == 0xD0 else 3)
    return Encoded(message[first : codec.end_of(message, first)])


def reply_message(request: Request, reply: Reply) -> bytes:
    """A reply, encoded, correlated with its request."""
    properties: list[Any] = [None] * 5 + [request.message_id] + [None] * 7
    application = {"status-code": Int(reply.status), "status-description": reply.description}
    return b"".join(
        (
            codec.described(PROPERTIES, properties),
            codec.described(APPLICATION_PROPERTIES, application),
            codec.described(VALUE, reply.body),
        )
    )
