"""Words, numbers, strings and signs of a query's text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from .syntax import SqlError

Kind = Literal["word", "number", "string", "parameter", "sign", "end"]

KEYWORDS: Final = frozenset(
    (
        *("AND", "ARRAY", "AS", "ASC"),
        *("BETWEEN", "BY"),
        *("CASE", "CAST", "CONVERT", "CROSS"),
        *("DESC", "DISTINCT"),
        *("ELSE", "END", "ESCAPE", "EXISTS"),
        *("FALSE", "FOR", "FROM"),
        "GROUP",
        "HAVING",
        *("IN", "INNER", "INSERT", "INTO", "IS"),
        "JOIN",
        *("LEFT", "LIKE", "LIMIT"),
        *("NOT", "NULL"),
        *("OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER"),
        "RIGHT",
        *("SELECT", "SET"),
        *("THEN", "TOP", "TRUE"),
        *("UDF", "UNDEFINED", "UPDATE"),
        "VALUE",
        *("WHEN", "WHERE", "WITH"),
    )
)
"""Reserved in Cosmos DB's SQL: a property of that name must be written c["name"]."""

_TOKEN: Final = re.compile(
    r"""
      \s+
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<parameter>@[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<sign><>|!=|<=|>=|\?\?|\|\||<<|>>|[=<>(),.*\[\]{}:+\-/%&|^~?])
    """,
    re.VERBOSE | re.DOTALL,
)

_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES: Final = {
    **{"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"},
    **{"/": "/", "\\": "\\", "'": "'", '"': '"'},
}


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    at: int
    """Offset in the query's text."""

    @property
    def keyword(self) -> str:
        """The text in capitals if it is a word, else nothing."""
        return self.text.upper() if self.kind == "word" else ""


def tokenize(text: str) -> list[Token]:
    """All tokens and one at the end. Raises `SqlError` for what is none."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise SqlError(
                f"Syntax error, incorrect syntax near {text[position : position + 12]!r}."
            )
        kind = found.lastgroup
        if kind is not None:
            tokens.append(Token(cast(Kind, kind), found[0], position))
        position = found.end()
    tokens.append(Token("end", "", position))
    return tokens


def unquote(text: str) -> str:
    """The value of a string token. Raises `SqlError` for an escape that there is not."""
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    # a pair of \\u escapes may be one character outside the basic plane
    return (
        _ESCAPE.sub(_unescape, inner).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def _unescape(found: re.Match[str]) -> str:
    if found[1] is not None:
        return chr(int(found[1], 16))
    if found[2] not in _ESCAPES:
        raise SqlError(f"Syntax error, incorrect escape \\{found[2]} in a string.")
    return _ESCAPES[found[2]]
