"""Walking over a query's tokens, and what to say of one that does not belong where it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .lexer import Token
from .syntax import SqlError

_ELSEWHERE: Final = frozenset({"JOIN", "GROUP", "HAVING", "DISTINCT", "EXISTS", "BETWEEN", "LIKE"})
_ARITHMETIC: Final = frozenset(
    ["+", "-", "*", "/", "%", "&", "|", "^", "~", "?", "??", "||", "<<", ">>"]
)


class Cursor:
    """The tokens and which of them is next."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def _take_token(self) -> Token:
        token = self._peek()
        self._next += 1
        return token

    def _take(self, keyword: str) -> bool:
        found = self._peek().keyword == keyword
        self._next += found
        return found

    def _take_sign(self, sign: str) -> bool:
        token = self._peek()
        found = token.kind == "sign" and token.text == sign
        self._next += found
        return found

    def _need(self, keyword: str) -> None:
        if not self._take(keyword):
            raise self._unexpected()

    def _need_sign(self, sign: str) -> None:
        if not self._take_sign(sign):
            raise self._unexpected()

    def _unexpected(self, token: Token | None = None) -> SqlError:
        """What to say of a token that does not belong where it is."""
        found = token or self._peek()
        if found.keyword in _ELSEWHERE:
            return outside(found.keyword)
        if found.kind == "sign" and found.text in _ARITHMETIC:
            return outside(f"the operator {found.text}")
        what = f"'{found.text}'" if found.text else "the end"
        return SqlError(f"Syntax error, incorrect syntax near {what} at {found.at}.")

    def _find(self, keyword: str) -> int:
        for index, token in enumerate(self._tokens):
            if token.keyword == keyword:
                return index
        raise outside(f"a query without {keyword}")


def outside(what: str) -> SqlError:
    """What the local subset leaves out."""
    return SqlError(f"{what} is not part of the local subset of SQL.")
