"""From a query's text to its meaning; what is outside the subset is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from .cursor import Cursor, outside
from .lexer import KEYWORDS, Token, tokenize, unquote
from .syntax import (
    And,
    ArrayOf,
    Call,
    Column,
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
    Selection,
    SqlError,
    ValueOf,
)
from .values import UNDEFINED

MAX_DEPTH: Final = 60
"""Of nested expressions."""

FUNCTIONS: Final = {"IS_DEFINED": (1, 1), "STARTSWITH": (2, 2), "ARRAY_CONTAINS": (2, 2)}
"""Served functions, with the least and most arguments."""

_COMPARISONS: Final[dict[str, Callable[[Scalar, Scalar], Comparison]]] = {
    "=": lambda left, right: Comparison("=", left, right),
    "!=": lambda left, right: Comparison("!=", left, right),
    "<>": lambda left, right: Comparison("!=", left, right),
    "<": lambda left, right: Comparison("<", left, right),
    "<=": lambda left, right: Comparison("<=", left, right),
    ">": lambda left, right: Comparison(">", left, right),
    ">=": lambda left, right: Comparison(">=", left, right),
}
_CONSTANTS: Final = {"TRUE": True, "FALSE": False, "NULL": None, "UNDEFINED": UNDEFINED}


@lru_cache(maxsize=512)
def parse(text: str) -> Query:
    """The meaning of `text`. Raises `SqlError`."""
    return _Parser(text).query()


class _Parser(Cursor):
    def __init__(self, text: str) -> None:
        super().__init__(tokenize(text))
        self._depth = 0
        self._alias = ""

    # -- clauses

    def query(self) -> Query:
        self._need("SELECT")
        if self._peek().keyword == "DISTINCT":
            raise outside("DISTINCT")
        top = self._number() if self._take("TOP") else None
        # the selection needs the name that comes after it, in FROM
        selection_at = self._next
        self._next = self._find("FROM")
        self._alias = self._source()
        behind_source = self._next
        self._next = selection_at
        selection = self._selection()
        if self._peek().keyword != "FROM":
            raise self._unexpected()
        self._next = behind_source
        where = self._scalar() if self._take("WHERE") else None
        order = self._order()
        offset = limit = None
        if self._take("OFFSET"):
            offset = self._number()
            self._need("LIMIT")
            limit = self._number()
        if self._peek().kind != "end":
            raise self._unexpected()
        if top is not None and offset is not None:
            raise SqlError("'TOP' and 'OFFSET LIMIT' cannot be used together.")
        if isinstance(selection, Count) and (order or top is not None or offset is not None):
            raise outside("COUNT with ORDER BY, TOP or OFFSET LIMIT")
        return Query(
            selection=selection, where=where, order=order, top=top, offset=offset, limit=limit
        )

    def _source(self) -> str:
        """The name that items go by."""
        self._need("FROM")
        token = self._take_token()
        if token.text == "(":
            raise outside("a subquery")
        if token.kind != "word" or token.keyword in KEYWORDS:
            raise self._unexpected(token)
        following = self._peek()
        if following.text in (".", "[") or following.keyword == "IN":
            raise outside("FROM with a path or IN")
        if self._take("AS") or (following.kind == "word" and following.keyword not in KEYWORDS):
            token = self._take_token()
            if token.kind != "word" or token.keyword in KEYWORDS:
                raise self._unexpected(token)
        return token.text

    def _selection(self) -> Selection:
        if self._take_sign("*"):
            return Everything()
        if self._take("VALUE"):
            if self._peek().keyword == "COUNT":
                return self._count()
            return ValueOf(self._scalar())
        columns = [self._column()]
        while self._take_sign(","):
            columns.append(self._column())
        names = [column.name for column in columns]
        if len(set(names)) < len(names):
            raise SqlError("Syntax error, two columns of a SELECT have the same name.")
        return Columns(tuple(columns))

    def _count(self) -> Count:
        self._take_token()
        self._need_sign("(")
        argument = self._scalar()
        self._need_sign(")")
        if not isinstance(argument, Constant) or argument.value is UNDEFINED:
            raise outside("COUNT of anything but a constant, as in COUNT(1)")
        return Count()

    def _column(self) -> Column:
        value = self._scalar()
        if self._take("AS"):
            name = self._take_token()
            if name.kind != "word" or name.keyword in KEYWORDS:
                raise self._unexpected(name)
            return Column(name.text, value)
        if not isinstance(value, Property):
            raise outside("a column that is not a property and has no AS")
        last = value.names[-1] if value.names else self._alias
        if not isinstance(last, str):
            raise outside("an array's member as a column without AS")
        return Column(last, value)

    def _order(self) -> tuple[Order, ...]:
        if self._peek().keyword == "GROUP":
            raise outside("GROUP BY")
        if not self._take("ORDER"):
            return ()
        self._need("BY")
        orders = [self._order_item()]
        while self._take_sign(","):
            orders.append(self._order_item())
        return tuple(orders)

    def _order_item(self) -> Order:
        value = self._scalar()
        if not isinstance(value, Property) or not value.names:
            raise outside("ORDER BY anything but properties")
        if self._take("DESC"):
            return Order(value, descending=True)
        self._take("ASC")
        return Order(value, descending=False)

    def _number(self) -> Constant | Parameter:
        token = self._take_token()
        if token.kind == "parameter":
            return Parameter(token.text)
        if token.kind == "number" and token.text.isdecimal():
            return Constant(int(token.text))
        raise self._unexpected(token)

    # -- expressions, loosest first

    def _scalar(self) -> Scalar:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SqlError(f"The query is nested deeper than {MAX_DEPTH}.")
        operands = [self._conjunction()]
        while self._take("OR"):
            operands.append(self._conjunction())
        self._depth -= 1
        return Or(tuple(operands)) if len(operands) > 1 else operands[0]

    def _conjunction(self) -> Scalar:
        operands = [self._negation()]
        while self._take("AND"):
            operands.append(self._negation())
        return And(tuple(operands)) if len(operands) > 1 else operands[0]

    def _negation(self) -> Scalar:
        if not self._take("NOT"):
            return self._comparison()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SqlError(f"The query is nested deeper than {MAX_DEPTH}.")
        value = Not(self._negation())
        self._depth -= 1
        return value

    def _comparison(self) -> Scalar:
        value = self._primary()
        negated = self._peek().keyword == "NOT" and self._peek(1).keyword == "IN"
        if negated:
            self._take("NOT")
        if self._take("IN"):
            self._need_sign("(")
            options = self._list(")")
            if not options:
                raise self._unexpected()
            value = In(value, options)
            return Not(value) if negated else value
        build = _COMPARISONS.get(self._peek().text)
        if build is not None:
            self._take_token()
            return build(value, self._primary())
        return value

    def _primary(self) -> Scalar:
        token = self._take_token()
        match token.kind:
            case "number":
                return Constant(_number(token.text))
            case "string":
                return Constant(unquote(token.text))
            case "parameter":
                return Parameter(token.text)
            case "word":
                return self._word(token)
            case "sign" if token.text == "-" and self._peek().kind == "number":
                return Constant(-_number(self._take_token().text))
            case "sign" if token.text == "(":
                if self._peek().keyword == "SELECT":
                    raise outside("a subquery")
                value = self._scalar()
                self._need_sign(")")
                return value
            case "sign" if token.text == "[":
                return ArrayOf(self._list("]"))
            case "sign" if token.text == "{":
                raise outside("an object in a query")
        raise self._unexpected(token)

    def _word(self, token: Token) -> Scalar:
        if token.keyword in _CONSTANTS:
            return Constant(_CONSTANTS[token.keyword])
        if self._peek().text == "(":
            return self._call(token)
        if token.keyword in KEYWORDS:
            raise self._unexpected(token)
        if token.text != self._alias:
            if token.keyword == "UDF":
                raise outside("a user-defined function")
            raise SqlError(f"Identifier '{token.text}' could not be resolved.")
        return Property(self._names())

    def _names(self) -> tuple[str | int, ...]:
        names: list[str | int] = []
        while True:
            if self._take_sign("."):
                token = self._take_token()
                if token.kind != "word":
                    raise self._unexpected(token)
                if token.keyword in KEYWORDS:
                    raise SqlError(
                        f"Syntax error, incorrect syntax near '{token.text}': it is reserved, so "
                        f'write {self._alias}["{token.text}"].'
                    )
                names.append(token.text)
            elif self._take_sign("["):
                token = self._take_token()
                if token.kind == "string":
                    names.append(unquote(token.text))
                elif token.kind == "number" and token.text.isdecimal():
                    names.append(int(token.text))
                else:
                    raise self._unexpected(token)
                self._need_sign("]")
            else:
                return tuple(names)

    def _call(self, token: Token) -> Scalar:
        name = token.keyword
        if name not in FUNCTIONS:
            raise outside(f"{name}()")
        self._need_sign("(")
        arguments = self._list(")")
        least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            raise outside(f"{name} with {len(arguments)} argument(s)")
        return Call(name, arguments)

    def _list(self, end: str) -> tuple[Scalar, ...]:
        members: list[Scalar] = []
        if self._take_sign(end):
            return ()
        while True:
            members.append(self._scalar())
            if self._take_sign(end):
                return tuple(members)
            self._need_sign(",")


def _number(text: str) -> int | float:
    return int(text) if text.isdecimal() else float(text)
