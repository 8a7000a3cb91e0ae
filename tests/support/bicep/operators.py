"""The operators of an expression as Bicep binds them.

tree-sitter-bicep 1.1 reads `a > b.c` as `(a > b).c`, and `a ? b : c.d` as `(a ? b : c).d`: members
and indexes come last. What it has read is taken apart and put together again by Bicep's precedence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import tree_sitter

from .syntax import text_of, value_of, walk

CHAINED = frozenset(
    {
        "binary_expression",
        "member_expression",
        "subscript_expression",
        "ternary_expression",
        "unary_expression",
    }
)

BINDS = {
    operator: strength
    for strength, operators in enumerate(
        ("??", "||", "&&", "== != =~ !~", "< <= > >=", "+ -", "* / %"), start=1
    )
    for operator in operators.split()
}
"""How strongly an operator binds (Microsoft, "Bicep operators: Operator precedence")."""
STRONGEST = 8


@dataclass(frozen=True, slots=True)
class Member:
    base: Tree
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    base: Tree
    index: tree_sitter.Node


@dataclass(frozen=True, slots=True)
class Prefix:
    operator: str
    operand: Tree


@dataclass(frozen=True, slots=True)
class Infix:
    operator: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Choice:
    condition: Tree
    yes: Tree
    no: Tree


Tree: TypeAlias = "Member | Index | Prefix | Infix | Choice | tree_sitter.Node"
"""A node is an operand: it has no operator outside of its own brackets."""


def paths(root: tree_sitter.Node) -> Iterator[tuple[tuple[str, ...], tree_sitter.Node]]:
    """What is read of each name, such as `("network", "outputs", "id")`, and where."""
    for node in walk(root):
        if node.type in CHAINED and not _is_inside_a_chain(node):
            for path in _paths(tree(node)):
                yield path, node


def _paths(found: Tree) -> Iterator[tuple[str, ...]]:
    match found:
        case Member() | Index():
            path = _path(found)
            if path:
                yield path
            else:
                yield from _paths(found.base)
        case Prefix(_, operand):
            yield from _paths(operand)
        case Infix(_, left, right):
            yield from _paths(left)
            yield from _paths(right)
        case Choice(condition, yes, no):
            for part in (condition, yes, no):
                yield from _paths(part)
        case _:
            return


def _path(found: Tree) -> tuple[str, ...]:
    match found:
        case Member(base, name):
            before = _path(base)
            return (*before, name) if before else ()
        case Index(base, index):
            before, key = _path(base), value_of(index)
            return (*before, key if isinstance(key, str) else "[]") if before else ()
        case tree_sitter.Node():
            return (text_of(found),) if found.type == "identifier" else ()
        case _:
            return ()


def _is_inside_a_chain(node: tree_sitter.Node) -> bool:
    around = node.parent
    if around is None or around.type not in CHAINED:
        return False
    return around.type != "subscript_expression" or around.named_children[0] == node


Token: TypeAlias = "str | tuple[str, str] | tuple[str, tree_sitter.Node] | tree_sitter.Node"


def tree(node: tree_sitter.Node) -> Tree:
    tokens = list(_tokens(node))
    found, rest = _parse(tokens, 0)
    assert not rest, text_of(node)
    return found


def _tokens(node: tree_sitter.Node) -> Iterator[Token]:
    if node.type not in CHAINED:
        yield node
        return
    children = [child for child in node.children if child.type != "comment"]
    first, last = children[0], node.named_children[-1]
    if node.type == "member_expression":
        yield from _tokens(first)
        yield "member", text_of(last)
    elif node.type == "subscript_expression":
        yield from _tokens(first)
        yield "index", last
    elif node.type == "ternary_expression":
        condition, yes, no = node.named_children
        yield from (*_tokens(condition), "?", *_tokens(yes), ":", *_tokens(no))
    elif node.type == "unary_expression":
        yield text_of(first)
        yield from _tokens(last)
    else:
        yield from _tokens(first)
        yield text_of(children[1])
        yield from _tokens(last)


def _parse(tokens: list[Token], least: int) -> tuple[Tree, list[Token]]:
    head, *tokens = tokens
    if isinstance(head, str):
        operand, tokens = _parse(tokens, STRONGEST)
        left: Tree = Prefix(head, operand)
    else:
        assert isinstance(head, tree_sitter.Node)
        left = head
    while tokens:
        following = tokens[0]
        if isinstance(following, tuple):
            kind, what = following
            left = Member(left, str(what)) if kind == "member" else Index(left, _node(what))
            tokens = tokens[1:]
            continue
        assert isinstance(following, str)
        if following == "?" and least == 0:
            yes, tokens = _parse(tokens[1:], 0)
            no, tokens = _parse(tokens[1:], 0)
            left = Choice(left, yes, no)
            continue
        if following in "?:":
            break
        if BINDS[following] <= least:
            break
        right, tokens = _parse(tokens[1:], BINDS[following])
        left = Infix(following, left, right)
    return left, tokens


def _node(what: str | tree_sitter.Node) -> tree_sitter.Node:
    assert isinstance(what, tree_sitter.Node)
    return what
