"""The AMQP 1.0 types that Python has no type of its own for.

Source: OASIS AMQP 1.0 part 1, "Types".
"""

from __future__ import annotations

from typing import Any, NamedTuple


class DecodeError(ValueError):
    """The bytes are not valid AMQP 1.0."""


class Symbol(str):
    """An AMQP symbol: an ASCII name from a domain, such as an error condition."""

    __slots__ = ()


class Timestamp(int):
    """Milliseconds since the Unix epoch."""

    __slots__ = ()


class UInt(int):
    """A 32-bit unsigned integer."""

    __slots__ = ()


class UShort(int):
    """A 16-bit unsigned integer."""

    __slots__ = ()


class UByte(int):
    """An 8-bit unsigned integer."""

    __slots__ = ()


class ULong(int):
    """A 64-bit unsigned integer."""

    __slots__ = ()


class Int(int):
    """A 32-bit signed integer."""

    __slots__ = ()


class Encoded(bytes):
    """A value that is encoded already: echoed fields, and pieces built by hand for speed."""

    __slots__ = ()


class Described(NamedTuple):
    """A value with the descriptor that says what it means."""

    descriptor: Any
    value: Any


class Array(list[Any]):
    """Values of one type behind one constructor. A list says the type of each of its items."""

    __slots__ = ()


NULL = Encoded(b"\x40")
