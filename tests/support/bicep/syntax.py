"""A Bicep file as values: what it declares, and its literals; the rest stays an expression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_bicep

LANGUAGE = tree_sitter.Language(tree_sitter_bicep.language())

DECLARATIONS = frozenset(
    {
        "parameter_declaration",
        "variable_declaration",
        "resource_declaration",
        "module_declaration",
        "output_declaration",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """Anything that is no literal."""

    node: tree_sitter.Node

    @property
    def text(self) -> str:
        return text_of(self.node)

    def branches(self) -> Iterator[Any]:
        """The values that it may have, as far as they are written out."""
        if self.node.type == "parenthesized_expression":
            yield from _branches(self.node.named_children[0])
        elif self.node.type == "ternary_expression":
            for branch in self.node.named_children[1:]:
                yield from _branches(branch)


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """`[for … in over: body]`."""

    node: tree_sitter.Node
    over: Any
    body: Any


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """A parameter, variable, resource, module or output."""

    kind: str
    name: str
    node: tree_sitter.Node
    value: Any = None
    """Of a resource or module: its body, a dict. Of the others: what is assigned, or `NOTHING`."""
    type: str = ""
    """Of a parameter or output, its type; of a resource `Provider/type@version`; of a module, its
    source."""
    existing: bool = False
    parent: str = ""
    """Of a nested resource, the type of the one around it."""
    decorators: dict[str, Any] = field(default_factory=dict)

    @property
    def resource_type(self) -> str:
        return self.type.partition("@")[0]

    @property
    def has_default(self) -> bool:
        return self.value is not NOTHING


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()


@dataclass(frozen=True, slots=True, eq=False)
class BicepFile:
    path: Path
    root: tree_sitter.Node
    declarations: tuple[Declaration, ...]

    def of(self, kind: str) -> dict[str, Declaration]:
        """By name, without what is nested."""
        return {d.name: d for d in self.declarations if d.kind == kind and not d.parent}

    @property
    def resources(self) -> list[Declaration]:
        """All, nested ones included."""
        return [d for d in self.declarations if d.kind == "resource"]

    def errors(self) -> list[str]:
        return [
            f"{self.path.name}:{node.start_point.row + 1}: cannot be read: {text_of(node)[:60]!r}"
            for node in walk(self.root)
            if node.type == "ERROR" or node.is_missing
        ]


@cache
def read(path: Path) -> BicepFile:
    return parse(path.read_text(encoding="utf-8"), path=path)


def parse(source: str, *, path: Path) -> BicepFile:
    root = tree_sitter.Parser(LANGUAGE).parse(source.encode("utf-8")).root_node
    return BicepFile(path=path, root=root, declarations=tuple(_declarations(root, parent="")))


def walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def text_of(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode("utf-8")


def value_of(node: tree_sitter.Node) -> Any:
    """Literals as Python has them; `Loop` and `Expression` for what is none."""
    children = [child for child in node.named_children if child.type != "comment"]
    match node.type:
        case "object":
            return _object(children)
        case "array":
            return [value_of(child) for child in children]
        case "string":
            if any(child.type == "interpolation" for child in children):
                return Expression(node)
            return "".join(_unescaped(child) for child in children)
        case "number":
            return int(text_of(node))
        case "boolean":
            return text_of(node) == "true"
        case "null":
            return None
        case "for_statement":
            *_, over, body = children
            return Loop(node=node, over=value_of(over), body=_body_of(body))
        case _:
            return Expression(node)


def _branches(node: tree_sitter.Node) -> Iterator[Any]:
    value = value_of(node)
    if isinstance(value, Expression) and node.type in {
        "ternary_expression",
        "parenthesized_expression",
    }:
        yield from value.branches()
    else:
        yield value


def _unescaped(node: tree_sitter.Node) -> str:
    text = text_of(node)
    if node.type == "escape_sequence":
        return {"\\n": "\n", "\\t": "\t"}.get(text, text[1:])
    return text


def _object(properties: list[tree_sitter.Node]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in properties:
        children = [child for child in one.named_children if child.type != "comment"]
        if not children or children[0].type == "resource_declaration":
            continue  # a nested resource is a declaration of its own
        key, *rest = children
        name = value_of(key) if key.type == "string" else text_of(key)
        if isinstance(name, Expression):
            name = name.text
        found[name] = value_of(rest[-1]) if rest else None
    return found


def _body_of(node: tree_sitter.Node) -> Any:
    """The body behind a condition, a loop, or both."""
    if node.type == "if_statement":
        return _body_of(node.named_children[-1])
    if node.type == "for_statement":
        return _body_of(node.named_children[-1])
    return value_of(node)


def _declarations(node: tree_sitter.Node, *, parent: str) -> Iterator[Declaration]:
    decorators: dict[str, Any] = {}
    for child in node.children:
        if child.type == "decorators":
            decorators = _decorators(child)
        elif child.type in DECLARATIONS:
            declared = _declaration(child, decorators, parent=parent)
            yield declared
            decorators = {}
            inner = declared.resource_type if declared.kind == "resource" else ""
            yield from _declarations(child, parent=inner or parent)
        elif child.type != "comment" or parent:
            yield from _declarations(child, parent=parent)


def _decorators(node: tree_sitter.Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for decorator in node.named_children:
        if decorator.type != "decorator":
            continue
        call = decorator.named_children[0]
        arguments = call.named_children[-1].named_children if call.named_child_count > 1 else []
        found[text_of(call.named_children[0])] = value_of(arguments[0]) if arguments else None
    return found


def _declaration(node: tree_sitter.Node, decorators: dict[str, Any], *, parent: str) -> Declaration:
    kind = node.type.removesuffix("_declaration")
    name, *rest = [child for child in node.named_children if child.type != "comment"]
    if kind in {"parameter", "output"}:
        typed, *assigned = rest
        return Declaration(
            kind=kind,
            name=text_of(name),
            node=node,
            value=value_of(assigned[0]) if assigned else NOTHING,
            type=text_of(typed),
            decorators=decorators,
        )
    if kind == "variable":
        return Declaration(kind=kind, name=text_of(name), node=node, value=value_of(rest[0]))
    source = str(value_of(rest[0]))
    if kind == "resource" and parent and "/" not in source.partition("@")[0]:
        source = f"{parent}/{source}"
    return Declaration(
        kind=kind,
        name=text_of(name),
        node=node,
        value=_body_of(rest[-1]),
        type=source,
        existing=any(child.type == "existing" for child in node.children),
        parent=parent,
        decorators=decorators,
    )
