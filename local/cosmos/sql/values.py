"""Cosmos DB's values: JSON and undefined; how they compare and how they sort."""

from __future__ import annotations

from typing import Any, Final


class _Undefined:
    """What a missing property is, and what a comparison with it gives: neither true nor false."""

    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        raise TypeError("undefined is neither true nor false")


UNDEFINED: Final = _Undefined()

_RANKS: Final[dict[type, int]] = {
    _Undefined: 0,
    type(None): 1,
    bool: 2,
    int: 3,
    float: 3,
    str: 4,
    list: 5,
    dict: 6,
}
"""The order of types in ORDER BY: undefined, null, booleans, numbers, strings, arrays, objects."""


def rank(value: Any) -> int:
    """Where the value's type sorts; equal for ints and floats, which are one type."""
    return _RANKS[type(value)]


def equal(left: Any, right: Any) -> Any:
    """True, False, or UNDEFINED where the types differ or a side is undefined."""
    left_rank = rank(left)
    if left_rank != rank(right) or left_rank == 0:
        return UNDEFINED
    return same(left, right)


def same(left: Any, right: Any) -> bool:
    """Deep equality in which true is not 1 and types that differ are just not equal."""
    if rank(left) != rank(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    return bool(left == right)


def compare(operator: str, left: Any, right: Any) -> Any:
    """`left operator right`: True, False or UNDEFINED. Arrays and objects have no order."""
    if operator == "=":
        return equal(left, right)
    if operator == "!=":
        found = equal(left, right)
        return found if found is UNDEFINED else not found
    left_rank = rank(left)
    if left_rank != rank(right) or left_rank in (0, 5, 6):
        return UNDEFINED
    if left_rank == 1:
        return operator in ("<=", ">=")
    match operator:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right


def sort_key(value: Any) -> tuple[int, Any]:
    """For ORDER BY; arrays and objects sort among themselves in no promised order."""
    found = rank(value)
    return found, value if found in (2, 3, 4) else 0
