"""Frames as Azure.Messaging.EventHubs 5.12 (.NET) sends them.

Made by hand after the client's source (azure-sdk-for-net) and that of its AMQP library
(azure-amqp): there is no .NET where this runs. The library writes each value in its shortest form
and leaves off the nulls at a list's end.
"""

from __future__ import annotations

import struct
from typing import Any

from local.event_hubs import codec, frames
from local.event_hubs.codec import Described, Encoded, Symbol, Timestamp, UInt, ULong, UShort
from local.event_hubs.frames import Performative
from local.event_hubs.messages import (
    APPLICATION_PROPERTIES,
    BATCH_FORMAT,
    DATA,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    VALUE,
)

REPLY_TO = "0f6c7b1e5d9a4c0b8a4f0d5f3f2b6a11"
CBS_REPLY_TO = "2b9d1f0a7c3e4e5d9b8a6c4f2e0d1c3b"
RESOURCE = "amqps://127.0.0.1/requests"
"""What the client signs: lower case, and without the port."""


def short(value: Any) -> bytes:
    """A value in the shortest form that its type has."""
    if isinstance(value, Encoded):
        return bytes(value)
    if isinstance(value, Described):
        return b"\x00" + short(value.descriptor) + short(value.value)
    if isinstance(value, dict):
        return _compound(0xC1, [item for pair in value.items() for item in pair])
    if isinstance(value, list):
        while value and value[-1] is None:
            value = value[:-1]
        return _compound(0xC0, value) if value else b"\x45"
    if isinstance(value, bool) or value is None or isinstance(value, (str, bytes, Timestamp)):
        return codec.encode(value)
    if isinstance(value, UInt):
        return _number(value, b"\x43", b"\x52", "B", codec.encode(value))
    if isinstance(value, ULong):
        return _number(value, b"\x44", b"\x53", "B", codec.encode(value))
    if isinstance(value, codec.Int):
        return _number(value, None, b"\x54", "b", codec.encode(value))
    if type(value) is int:
        return _number(value, None, b"\x55", "b", codec.encode(value))
    return codec.encode(value)


def _number(value: int, zero: bytes | None, small: bytes, layout: str, large: bytes) -> bytes:
    if value == 0 and zero is not None:
        return zero
    try:
        return small + struct.pack(layout, value)
    except struct.error:
        return large


def _compound(code: int, items: list[Any]) -> bytes:
    body = b"".join(map(short, items))
    if len(body) < 255 and len(items) < 256:
        return bytes((code, len(body) + 1, len(items))) + body
    return bytes((code | 0x10,)) + struct.pack(">II", len(body) + 4, len(items)) + body


def section(code: int, value: Any) -> bytes:
    """A message's section."""
    return b"\x00\x53" + bytes((code,)) + short(value)


def frame(code: int, fields: list[Any], *, payload: bytes = b"") -> bytes:
    """A frame on channel 0."""
    body = b"\x00\x53" + bytes((code,)) + short(fields) + payload
    return struct.pack(">IBBH", len(body) + 8, 2, 0, 0) + body


def opening() -> bytes:
    """What the client sends before it has heard anything, after SASL."""
    product = {Symbol("product"): "MSSBCBS", Symbol("platform"): "unix"}
    return (
        frames.AMQP_HEADER
        + frame(
            Performative.OPEN,
            [
                *("id", "127.0.0.1", UInt(65_536), UShort(4_999), UInt(60_000)),
                *(None, None, None, None, product),
            ],
        )
        + frame(
            Performative.BEGIN,
            [None, UInt(1), UInt(5_000), UInt(5_000), UInt(262_143), None, None, {}],
        )
    )


def duplex(node: str, reply_to: str, *, sender: int, receiver: int) -> bytes:
    """Both links to `$cbs` or `$management`, and credit for the answers."""
    properties = {Symbol("com.microsoft:timeout"): UInt(59_998)}
    return (
        attach(sender, False, [reply_to[::-1]], [node], properties)
        + attach(receiver, True, [node], [reply_to], properties)
        + flow(receiver, credit=50)
    )


def attach(
    handle: int,
    receives: bool,
    source: list[Any],
    target: list[Any],
    properties: dict[Symbol, Any],
    *,
    capability: Symbol | None = None,
) -> bytes:
    """An attach; one desired capability is a symbol and not an array of one."""
    fields: list[Any] = [f"id;1:1:{handle}:{receives}", UInt(handle), receives]
    fields += [codec.UByte(1 if receives else 0), None]
    fields += [Described(ULong(0x28), source), Described(ULong(0x29), target), None, None]
    fields += [None if receives else UInt(0), None, None, capability, properties]
    return frame(Performative.ATTACH, fields)


def receiver(
    handle: int, selector: str, *, partition: str = "0", owner_level: int | None = None
) -> bytes:
    """An attach that reads a partition from a position on, and tracks its last event."""
    name = Symbol("apache.org:selector-filter:string")
    source: list[Any] = [f"/requests/ConsumerGroups/$Default/Partitions/{partition}"] + [None] * 6
    source += [{name: Described(name, selector)}]
    properties: dict[Symbol, Any] = {Symbol("com.microsoft:entity-type"): codec.Int(8)}
    if owner_level is not None:
        properties[Symbol("com.microsoft:epoch")] = owner_level
    metric = Symbol("com.microsoft:enable-receiver-runtime-metric")
    return attach(handle, True, source, ["a guid"], properties, capability=metric)


def publisher(handle: int, address: str = "/requests") -> bytes:
    """An attach that sends to a hub or to a partition."""
    properties = {
        Symbol("com.microsoft:timeout"): UInt(59_000),
        Symbol("com.microsoft:entity-type"): codec.Int(7),
    }
    return attach(handle, False, ["a guid"], [address], properties)


def flow(handle: int, *, credit: int, seen: int = 0) -> bytes:
    """Credit for a link; `seen` transfers have arrived in the session."""
    fields = [UInt(seen), UInt(5_000), UInt(1), UInt(5_000), UInt(handle), UInt(0), UInt(credit)]
    return frame(Performative.FLOW, fields)


def transfer(handle: int, payload: bytes, *, delivery_id: int, message_format: int = 0) -> bytes:
    """A message."""
    fields: list[Any] = [UInt(handle), UInt(delivery_id), b"tag", UInt(message_format), False]
    return frame(
        Performative.TRANSFER, [*fields, False, None, None, None, None, True], payload=payload
    )


def put_token(token: str, audience: str) -> bytes:
    """The request to `$cbs` before a link to a hub."""
    return (
        section(PROPERTIES, ["r1", None, None, None, CBS_REPLY_TO])
        + section(
            APPLICATION_PROPERTIES,
            {
                "operation": "put-token",
                "type": "servicebus.windows.net:sastoken",
                "name": audience,
                "expiration": Timestamp(1_900_000_000_000),
            },
        )
        + section(VALUE, token)
    )


def management(kind: str, token: str | None, *, partition: str | None = None) -> bytes:
    """A request to `$management`: its body is an empty value, its token a property."""
    properties: dict[str, Any] = {"name": "requests", "operation": "READ"}
    properties["type"] = f"com.microsoft:{kind}"
    if partition is not None:
        properties["partition"] = partition
    if token is not None:
        properties["security_token"] = token
    return section(PROPERTIES, ["r1", None, None, None, REPLY_TO]) + section(
        APPLICATION_PROPERTIES, properties
    )


def batch(*bodies: bytes, partition_key: str | None = None) -> tuple[bytes, int]:
    """An `EventDataBatch` and its message format: one event alone is its own envelope."""
    annotations = b""
    if partition_key is not None:
        key = {Symbol("x-opt-partition-key"): partition_key}
        annotations = section(MESSAGE_ANNOTATIONS, key)
    events = [annotations + section(DATA, body) for body in bodies]
    if len(events) == 1:
        return events[0], 0
    return annotations + b"".join(section(DATA, event) for event in events), BATCH_FORMAT
