"""AMQP 1.0 types: bytes to Python values and back.

The decoder is strict: whatever is truncated, unknown or nested too deeply raises `DecodeError`,
so that a malformed frame can close its own connection and nothing else. The way back is in
`encoder`, the types are in `amqp_types`; both are also here.

Source: OASIS AMQP 1.0 part 1, "Types".
"""

from __future__ import annotations

import struct
import uuid
from typing import Any

from .amqp_types import (
    NULL,
    Array,
    DecodeError,
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
from .encoder import described, encode, symbols

__all__ = [
    "NULL",
    "Array",
    "DecodeError",
    "Described",
    "Encoded",
    "Int",
    "Symbol",
    "Timestamp",
    "UByte",
    "UInt",
    "ULong",
    "UShort",
    "compound_span",
    "decode",
    "described",
    "encode",
    "end_of",
    "symbols",
]

MAX_DEPTH = 32
"""No AMQP peer nests values this deeply; a hostile one would exhaust the stack."""

MAX_ARRAY_OF_NOTHING = 65_536
"""An array of nulls takes no bytes for an element, so its size cannot bound its count."""

_U32 = struct.Struct(">I")

_WIDTH_BY_CATEGORY = (0, 0, 0, 0, 0, 1, 2, 4, 8, 16)
_STRUCTS: dict[int, struct.Struct] = {
    code: struct.Struct(">" + layout)
    for code, layout in {
        0x50: "B",  # ubyte
        0x51: "b",  # byte
        0x52: "B",  # smalluint
        0x53: "B",  # smallulong
        0x54: "b",  # smallint
        0x55: "b",  # smalllong
        0x60: "H",  # ushort
        0x61: "h",  # short
        0x70: "I",  # uint
        0x71: "i",  # int
        0x72: "f",  # float
        0x80: "Q",  # ulong
        0x81: "q",  # long
        0x82: "d",  # double
        0x83: "q",  # timestamp
    }.items()
}
_CONSTANTS: dict[int, Any] = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0}


def end_of(data: bytes, start: int, depth: int = 0) -> int:
    """The position just after the value that starts at `start`, without decoding it."""
    try:
        code = data[start]
        if code == 0:
            if depth >= MAX_DEPTH:
                raise DecodeError("described values are nested too deeply")
            return end_of(data, end_of(data, start + 1, depth + 1), depth + 1)
        return _end_of_body(data, code, start + 1)
    except IndexError as error:
        raise DecodeError("the data ends where a value should start") from error


def _end_of_body(data: bytes, code: int, at: int) -> int:
    """Where a value of constructor `code` ends, whose size or fixed-width body is at `at`."""
    try:
        if code >= 0xA0:
            if code & 0x10:
                end: int = at + 4 + _U32.unpack_from(data, at)[0]
            else:
                end = at + 1 + data[at]
        elif code < 0x40:
            raise DecodeError(f"unknown type constructor 0x{code:02x}")
        else:
            end = at + _WIDTH_BY_CATEGORY[code >> 4]
    except (IndexError, struct.error) as error:
        raise DecodeError("the data ends inside a value") from error
    if end > len(data):
        raise DecodeError("the data ends inside a value")
    return end


def decode(data: bytes, start: int = 0, depth: int = 0) -> tuple[Any, int]:
    """The value that starts at `start`, and the position after it."""
    if depth > MAX_DEPTH:
        raise DecodeError("values are nested too deeply")
    if start >= len(data):
        raise DecodeError("the data ends where a value should start")
    code = data[start]
    if code == 0:
        descriptor, middle = decode(data, start + 1, depth + 1)
        value, end = decode(data, middle, depth + 1)
        return Described(descriptor, value), end
    end = _end_of_body(data, code, start + 1)
    return _decode_body(data, code, start + 1, end, depth), end


def _decode_body(data: bytes, code: int, at: int, end: int, depth: int) -> Any:
    if code < 0xA0:
        return _fixed_width(code, data, at)
    body = at + (4 if code & 0x10 else 1)
    kind = code & 0xEF
    if kind == 0xA0:
        return data[body:end]
    if kind in (0xA1, 0xA3):
        return _text(kind, data[body:end])
    if kind == 0xC0:
        return _items(data, code, body, end, depth)
    if kind == 0xC1:
        return _map(_items(data, code, body, end, depth))
    if kind == 0xE0:
        return _array(data, code, body, end, depth)
    raise DecodeError(f"unknown type constructor 0x{code:02x}")


def _fixed_width(code: int, data: bytes, at: int) -> Any:
    layout = _STRUCTS.get(code)
    if layout is not None:
        value = layout.unpack_from(data, at)[0]
        return Timestamp(value) if code == 0x83 else value
    if code in _CONSTANTS:
        return _CONSTANTS[code]
    if code == 0x45:
        return []
    if code == 0x56 and data[at] < 2:
        return data[at] == 1
    if code == 0x98:
        return uuid.UUID(bytes=data[at : at + 16])
    if code in (0x73, 0x74, 0x84, 0x94):  # char and decimals: passed on, never looked into
        return data[at : at + _WIDTH_BY_CATEGORY[code >> 4]]
    raise DecodeError(f"unknown type constructor 0x{code:02x}")


def _text(kind: int, raw: bytes) -> str:
    try:
        return raw.decode() if kind == 0xA1 else Symbol(raw.decode("ascii"))
    except UnicodeDecodeError as error:
        raise DecodeError("text is not valid in its encoding") from error


def compound_span(data: bytes, code: int, body: int, end: int) -> tuple[int, int]:
    """How many items a list, map or array counts, and where the first one starts."""
    wide = code & 0x10
    first = body + (4 if wide else 1)
    if first > end:
        raise DecodeError("a compound value is too short for its count")
    return (_U32.unpack_from(data, body)[0] if wide else data[body]), first


def _items(data: bytes, code: int, body: int, end: int, depth: int) -> list[Any]:
    count, at = compound_span(data, code, body, end)
    if count > end - at:  # each item takes a byte at least
        raise DecodeError("a compound value counts more items than it holds")
    items = []
    for _ in range(count):
        value, at = decode(data, at, depth + 1)
        items.append(value)
    if at != end:
        raise DecodeError("a compound value's size does not match its items")
    return items


def _map(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise DecodeError("a map has a key without a value")
    try:
        return dict(zip(items[::2], items[1::2], strict=True))
    except TypeError as error:
        raise DecodeError("a map's key is not a simple value") from error


def _array(data: bytes, code: int, body: int, end: int, depth: int) -> Array:
    count, at = compound_span(data, code, body, end)
    if count == 0:
        return Array()
    descriptors, constructor, at = _element_constructor(data, at, end, depth)
    if count > (MAX_ARRAY_OF_NOTHING if 0x40 <= constructor < 0x50 else end - at):
        raise DecodeError("an array counts more items than it holds")
    items = Array()
    for _ in range(count):
        item_end = _end_of_body(data, constructor, at)
        item = _decode_body(data, constructor, at, item_end, depth + 1)
        for descriptor in reversed(descriptors):
            item = Described(descriptor, item)
        items.append(item)
        at = item_end
    if at != end:
        raise DecodeError("an array's size does not match its items")
    return items


def _element_constructor(data: bytes, at: int, end: int, depth: int) -> tuple[list[Any], int, int]:
    """What all items of an array share: their descriptors, their constructor, and its end."""
    descriptors: list[Any] = []
    while True:
        if at >= end or depth + len(descriptors) >= MAX_DEPTH:
            raise DecodeError("an array has no constructor or is nested too deeply")
        if data[at] != 0:
            return descriptors, data[at], at + 1
        descriptor, at = decode(data, at + 1, depth + 1)
        descriptors.append(descriptor)
