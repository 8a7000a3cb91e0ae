"""What a query says, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


class SqlError(ValueError):
    """The query is wrong, or outside the subset; the message names what."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal, or `undefined`."""

    value: Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """`@name`, with the @."""

    name: str


@dataclass(frozen=True, slots=True)
class Property:
    """A path from the item's root; the item itself without names. Integers index arrays."""

    names: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """`[a, b]`."""

    members: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: Literal["=", "!=", "<", "<=", ">", ">="]
    left: Scalar
    right: Scalar


@dataclass(frozen=True, slots=True)
class And:
    operands: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Or:
    operands: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Not:
    operand: Scalar


@dataclass(frozen=True, slots=True)
class In:
    value: Scalar
    options: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function, its name in capitals."""

    name: str
    arguments: tuple[Scalar, ...]


Scalar = Constant | Parameter | Property | ArrayOf | Comparison | And | Or | Not | In | Call


@dataclass(frozen=True, slots=True)
class Order:
    path: Property
    descending: bool


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class Everything:
    """`SELECT *`"""


@dataclass(frozen=True, slots=True)
class ValueOf:
    """`SELECT VALUE c.x`"""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Count:
    """`SELECT VALUE COUNT(1)`"""


@dataclass(frozen=True, slots=True)
class Columns:
    """`SELECT c.a, c.b AS x`"""

    columns: tuple[Column, ...]


Selection = Everything | ValueOf | Count | Columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    selection: Selection
    where: Scalar | None
    order: tuple[Order, ...]
    top: Constant | Parameter | None
    offset: Constant | Parameter | None
    limit: Constant | Parameter | None
