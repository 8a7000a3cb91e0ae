"""AMQP 1.0 types: Python values to bytes.

The encoder always writes the long forms (list32, map32, 8-byte integers): azure-eventhub's decoder
reads performatives by fixed index and does not know list0.

Source: OASIS AMQP 1.0 part 1, "Types".
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from .amqp_types import (
    Array,
    Described,
    Encoded,
    Int,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

_U32 = struct.Struct(">I")
_I64 = struct.Struct(">q")
_U32_PAIR = struct.Struct(">II")


def _variable(short_code: int, long_code: int, raw: bytes) -> bytes:
    if len(raw) < 256:
        return bytes((short_code, len(raw))) + raw
    return bytes((long_code,)) + _U32.pack(len(raw)) + raw


def _compound(code: int, items: Iterable[Any], count: int) -> bytes:
    body = b"".join(map(encode, items))
    return bytes((code,)) + _U32_PAIR.pack(len(body) + 4, count) + body


def _array_of(items: Array) -> bytes:
    """One constructor, then the items without theirs, in the form that any length fits."""
    if not items:
        return b"\xf0" + _U32_PAIR.pack(5, 0) + b"\x40"
    elements = [_element(item) for item in items]
    constructors = {constructor for constructor, _ in elements}
    if len(constructors) > 1:
        raise TypeError("the items of an AMQP array are of one type")
    body = constructors.pop() + b"".join(item for _, item in elements)
    return b"\xf0" + _U32_PAIR.pack(len(body) + 4, len(items)) + body


def _element(item: Any) -> tuple[bytes, bytes]:
    """The constructor and the body of an array's item."""
    if isinstance(item, Described):
        constructor, body = _element(item.value)
        return b"\x00" + encode(item.descriptor) + constructor, body
    if isinstance(item, bool):
        return b"\x56", b"\x01" if item else b"\x00"
    if isinstance(item, Encoded):
        raise TypeError("the items of an AMQP array cannot be encoded already")
    encoded = encode(item)
    if encoded[0] in (0xA0, 0xA1, 0xA3):
        size = _U32.pack(encoded[1])
        return bytes((encoded[0] | 0x10,)), size + encoded[2:]
    return encoded[:1], encoded[1:]


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    Encoded: bytes,
    int: lambda value: b"\x81" + _I64.pack(value),
    Int: lambda value: b"\x71" + struct.pack(">i", value),
    UByte: lambda value: b"\x50" + bytes((value,)),
    UShort: lambda value: b"\x60" + struct.pack(">H", value),
    UInt: lambda value: b"\x70" + _U32.pack(value),
    ULong: lambda value: b"\x80" + struct.pack(">Q", value),
    Timestamp: lambda value: b"\x83" + _I64.pack(value),
    float: lambda value: b"\x82" + struct.pack(">d", value),
    uuid.UUID: lambda value: b"\x98" + value.bytes,
    bytes: lambda value: _variable(0xA0, 0xB0, value),
    str: lambda value: _variable(0xA1, 0xB1, value.encode()),
    Symbol: lambda value: _variable(0xA3, 0xB3, value.encode("ascii")),
    list: lambda value: _compound(0xD0, value, len(value)),
    dict: lambda value: _compound(
        0xD1, (item for pair in value.items() for item in pair), 2 * len(value)
    ),
    Array: _array_of,
    Described: lambda value: b"\x00" + encode(value.descriptor) + encode(value.value),
}


def encode(value: Any) -> bytes:
    """The AMQP encoding of `value`. Plain `int` is a long; the subclasses above say otherwise.

    Raises `TypeError` for a type that has no AMQP encoding here.
    """
    try:
        encoder = _ENCODERS[type(value)]
    except KeyError:
        raise TypeError(f"{type(value).__name__} has no AMQP encoding") from None
    return encoder(value)


def described(code: int, value: Any) -> Encoded:
    """`value` under a small-ulong descriptor: the only form that azure-eventhub reads."""
    return Encoded(b"\x00\x53" + bytes((code,)) + encode(value))


def symbols(*names: str) -> Encoded:
    """An array of symbols."""
    return Encoded(encode(Array(map(Symbol, names))))
