"""A query with its parameters, ready to run over items: closures, built once a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .syntax import (
    And,
    ArrayOf,
    Call,
    Columns,
    Comparison,
    Constant,
    Count,
    Everything,
    In,
    Not,
    Or,
    Order,
    Parameter,
    Property,
    Query,
    Scalar,
    SqlError,
    ValueOf,
)
from .values import UNDEFINED, compare, equal, same, sort_key

Item = dict[str, Any]
Evaluate = Callable[[Item], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How to run a query."""

    matches: Callable[[Item], bool] | None
    """None: every item does."""
    needles: tuple[bytes, ...]
    """What the JSON of every matching item contains: a cheap look before parsing it."""
    select: Evaluate | None
    """An item's result, UNDEFINED for none; None: the item as it is."""
    counts: bool
    """The result is the number of matching items."""
    order: tuple[Order, ...]
    sort_keys: tuple[Evaluate, ...]
    """One per `order`."""
    skip: int
    limit: int | None

    @property
    def streams(self) -> bool:
        """Whether each item gives its result alone, so that a page can resume behind it."""
        return not self.order and not self.counts and self.skip == 0 and self.limit is None


def plan(query: Query, parameters: Mapping[str, Any]) -> Plan:
    """Bind `parameters`, names with @. Raises `SqlError` for one that is missing or no number."""
    build = _Builder(parameters)
    where = query.where
    matches: Callable[[Item], bool] | None = None
    if where is not None:
        condition = build.evaluate(where)
        matches = lambda item: condition(item) is True  # noqa: E731
    select: Evaluate | None = None
    if isinstance(query.selection, ValueOf):
        select = build.evaluate(query.selection.value)
    elif isinstance(query.selection, Columns):
        select = build.columns(query.selection)
    limit = query.top if query.top is not None else query.limit
    return Plan(
        matches=matches,
        needles=tuple(build.needles(where)),
        select=None if isinstance(query.selection, Everything) else select,
        counts=isinstance(query.selection, Count),
        order=query.order,
        sort_keys=tuple(_sort_key(build.evaluate(order.path)) for order in query.order),
        skip=build.number(query.offset) if query.offset is not None else 0,
        limit=build.number(limit) if limit is not None else None,
    )


def _sort_key(evaluate: Evaluate) -> Evaluate:
    return lambda item: sort_key(evaluate(item))


class _Builder:
    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters

    def number(self, scalar: Constant | Parameter) -> int:
        value = self._constant(scalar)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise SqlError("TOP, OFFSET and LIMIT take a whole number that is not negative.")
        return value

    def needles(self, condition: Scalar | None) -> list[bytes]:
        """The strings that some property must equal: orjson writes them as the item's JSON does."""
        match condition:
            case And(operands):
                return [needle for operand in operands for needle in self.needles(operand)]
            case Comparison("=", Property(), (Constant() | Parameter()) as scalar) | Comparison(
                "=", (Constant() | Parameter()) as scalar, Property()
            ):
                value = self._constant(scalar)
                return [orjson.dumps(value)] if isinstance(value, str) else []
        return []

    def columns(self, columns: Columns) -> Evaluate:
        parts = [(column.name, self.evaluate(column.value)) for column in columns.columns]

        def select(item: Item) -> Item:
            return {
                name: value
                for name, evaluate in parts
                if (value := evaluate(item)) is not UNDEFINED
            }

        return select

    def evaluate(self, scalar: Scalar) -> Evaluate:
        match scalar:
            case Constant() | Parameter():
                value = self._constant(scalar)
                return lambda _: value
            case Property(names):
                return _property(names)
            case ArrayOf(members):
                parts = [self.evaluate(member) for member in members]
                return lambda item: [
                    value for part in parts if (value := part(item)) is not UNDEFINED
                ]
            case Comparison(operator, left, right):
                return _comparison(operator, self.evaluate(left), self.evaluate(right))
            case And(operands):
                return _and([self.evaluate(operand) for operand in operands])
            case Or(operands):
                return _or([self.evaluate(operand) for operand in operands])
            case Not(operand):
                return _not(self.evaluate(operand))
            case In(value_of, options):
                return _in(self.evaluate(value_of), [self.evaluate(each) for each in options])
            case Call(name, arguments):
                return _FUNCTIONS[name](*(self.evaluate(each) for each in arguments))

    def _constant(self, scalar: Constant | Parameter) -> Any:
        if isinstance(scalar, Constant):
            return scalar.value
        if scalar.name not in self._parameters:
            raise SqlError(f"The parameter {scalar.name} has no value.")
        return self._parameters[scalar.name]


def _property(names: tuple[str | int, ...]) -> Evaluate:
    if len(names) == 1 and isinstance(names[0], str):
        only = names[0]
        return lambda item: item.get(only, UNDEFINED)

    def evaluate(item: Item) -> Any:
        value: Any = item
        for name in names:
            if isinstance(name, str):
                value = value.get(name, UNDEFINED) if isinstance(value, dict) else UNDEFINED
            elif isinstance(value, list) and name < len(value):
                value = value[name]
            else:
                return UNDEFINED
        return value

    return evaluate


def _comparison(operator: str, left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda item: compare(operator, left(item), right(item))


def _and(operands: list[Evaluate]) -> Evaluate:
    """False wins over undefined, and undefined over true."""

    def evaluate(item: Item) -> Any:
        result: Any = True
        for operand in operands:
            value = operand(item)
            if value is False:
                return False
            if value is not True:
                result = UNDEFINED
        return result

    return evaluate


def _or(operands: list[Evaluate]) -> Evaluate:
    """True wins over undefined, and undefined over false."""

    def evaluate(item: Item) -> Any:
        result: Any = False
        for operand in operands:
            value = operand(item)
            if value is True:
                return True
            if value is not False:
                result = UNDEFINED
        return result

    return evaluate


def _not(operand: Evaluate) -> Evaluate:
    def evaluate(item: Item) -> Any:
        value = operand(item)
        return not value if isinstance(value, bool) else UNDEFINED

    return evaluate


def _in(value_of: Evaluate, options: list[Evaluate]) -> Evaluate:
    def evaluate(item: Item) -> Any:
        value = value_of(item)
        if value is UNDEFINED:
            return UNDEFINED
        return any(equal(value, option(item)) is True for option in options)

    return evaluate


def _is_defined(operand: Evaluate) -> Evaluate:
    return lambda item: operand(item) is not UNDEFINED


def _starts_with(operand: Evaluate, prefix_of: Evaluate) -> Evaluate:
    def evaluate(item: Item) -> Any:
        value, prefix = operand(item), prefix_of(item)
        if not isinstance(value, str) or not isinstance(prefix, str):
            return UNDEFINED
        return value.startswith(prefix)

    return evaluate


def _array_contains(array_of: Evaluate, wanted_of: Evaluate) -> Evaluate:
    def evaluate(item: Item) -> Any:
        array, wanted = array_of(item), wanted_of(item)
        if not isinstance(array, list) or wanted is UNDEFINED:
            return UNDEFINED
        return any(same(member, wanted) for member in array)

    return evaluate


_FUNCTIONS: dict[str, Callable[..., Evaluate]] = {
    "IS_DEFINED": _is_defined,
    "STARTSWITH": _starts_with,
    "ARRAY_CONTAINS": _array_contains,
}
