"""Evaluates the expressions of a Bicep file, as far as the templates use the language.

Variables are evaluated when they are read, a branch only when it is taken. Resources and modules
have no values here: what an expression reads of them is given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import tree_sitter

from . import operators
from .operators import CHAINED
from .syntax import NOTHING, BicepFile, Declaration, text_of, value_of

GROUP = "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/rg-dev"
"""What is deployed to, as `resourceId` sees it."""


class Failed(Exception):
    """The template refuses its parameters by `fail`."""


class Unknown(Exception):
    """The value is not known before the deployment, or the language is larger than this."""


class Evaluation:
    def __init__(
        self,
        file: BicepFile,
        *,
        parameters: Mapping[str, Any] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        """`given`: values of what cannot be evaluated, by name, such as a module's outputs."""
        self._file = file
        self._parameters = parameters or {}
        self._given = dict(given or {})
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter or variable. Raises Failed, Unknown."""
        if name in self._given:
            return self._given[name]
        if name not in self._known:
            self._known[name] = self._declared(name)
        return self._known[name]

    def _declared(self, name: str) -> Any:
        parameter = self._file.of("parameter").get(name)
        if parameter is not None:
            if name in self._parameters:
                return self._parameters[name]
            if parameter.value is NOTHING:
                raise Unknown(f"parameter {name} is not given")
            return self.value(parameter.node.named_children[-1])
        variable = self._file.of("variable").get(name)
        if variable is None:
            raise Unknown(f"{name} has no value here")
        return self.value(variable.node.named_children[-1])

    def value(self, node: tree_sitter.Node, local: Mapping[str, Any] | None = None) -> Any:
        """The value of an expression. Raises Failed, Unknown."""
        local = local or {}
        children = [child for child in node.named_children if child.type != "comment"]
        match node.type:
            case "number" | "boolean" | "null":
                return value_of(node)
            case "string":
                return self._string(node, local)
            case "array":
                return [self.value(child, local) for child in children]
            case "object":
                return {
                    self._key(child.named_children[0], local): self.value(
                        child.named_children[-1], local
                    )
                    for child in children
                }
            case "identifier":
                name = text_of(node)
                return local[name] if name in local else self[name]
            case "parenthesized_expression":
                return self.value(children[0], local)
            case kind if kind in CHAINED:
                return self._tree(operators.tree(node), local)
            case "for_statement":
                return self._loop(children, local)
            case "call_expression":
                return self._call(node, local)
            case _:
                raise Unknown(f"{node.type}: {text_of(node)}")

    def _string(self, node: tree_sitter.Node, local: Mapping[str, Any]) -> str:
        parts = []
        for child in node.named_children:
            if child.type == "interpolation":
                inner = self.value(child.named_children[0], local)
                parts.append(_as_text(inner))
            else:
                parts.append(str(value_of(child)) if child.type == "string" else _plain(child))
        return "".join(parts)

    def _key(self, node: tree_sitter.Node, local: Mapping[str, Any]) -> str:
        return self._string(node, local) if node.type == "string" else text_of(node)

    def _tree(self, tree: operators.Tree, local: Mapping[str, Any]) -> Any:
        match tree:
            case operators.Member(base, name):
                owner = self._tree(base, local)
                if isinstance(owner, Mapping) and name in owner:
                    return owner[name]
                raise Unknown(f"{name} has no value here")
            case operators.Index(base, index):
                return self._tree(base, local)[self.value(index, local)]
            case operators.Choice(condition, yes, no):
                return self._tree(yes if self._tree(condition, local) else no, local)
            case operators.Prefix(operator, operand):
                value = self._tree(operand, local)
                return not value if operator == "!" else -value
            case operators.Infix(operator, left, right):
                first = self._tree(left, local)
                if operator in {"&&", "||"}:
                    decided = bool(first) == (operator == "||")
                    return first if decided else self._tree(right, local)
                return BINARY[operator](first, self._tree(right, local))
            case _:
                return self.value(tree, local)

    def _loop(self, children: list[tree_sitter.Node], local: Mapping[str, Any]) -> list[Any]:
        *_, body = children
        return [self.value(body, {**local, **one}) for one in self._rounds(children, local)]

    def rounds(self, declared: Declaration) -> list[dict[str, Any]]:
        """The variables of each round of a resource's or module's loop; one round without any where
        there is no loop."""
        body = declared.node.named_children[-1]
        if body.type != "for_statement":
            return [{}]
        return self._rounds([one for one in body.named_children if one.type != "comment"], {})

    def _rounds(
        self, children: list[tree_sitter.Node], local: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        variables, over, _ = children
        names = (
            [text_of(one) for one in variables.named_children]
            if variables.type == "for_loop_parameters"
            else [text_of(variables)]
        )
        return [
            dict(zip(names, (element, index), strict=False))
            for index, element in enumerate(self.value(over, local))
        ]

    def _call(self, node: tree_sitter.Node, local: Mapping[str, Any]) -> Any:
        name = text_of(node.named_children[0])
        arguments = [
            self.value(child, local)
            for child in node.named_children[-1].named_children
            if child.type != "comment"
        ]
        if name == "loadJsonContent":
            path = self._file.path.parent / arguments[0]
            return json.loads(path.read_text(encoding="utf-8"))
        if name == "fail":
            raise Failed(arguments[0])
        if name not in CALLS:
            raise Unknown(f"{name}()")
        return CALLS[name](*arguments)


def _plain(node: tree_sitter.Node) -> str:
    text = text_of(node)
    return text[1:] if node.type == "escape_sequence" else text


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _string_of(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    return _as_text(value)


def _union(*values: Any) -> Any:
    if all(isinstance(value, dict) for value in values):
        merged: dict[str, Any] = {}
        for value in values:
            merged |= value
        return merged
    return list(dict.fromkeys(element for value in values for element in value))


def _contains(container: Any, item: Any) -> bool:
    """The keys of an object are compared without regard to case, as Azure does."""
    if isinstance(container, dict):
        return str(item).lower() in {key.lower() for key in container}
    return item in container


def _resource_id(kind: str, *names: str) -> str:
    """Of a resource in the group that is deployed to."""
    provider, *types = kind.split("/")
    path = "".join(f"/{one}/{name}" for one, name in zip(types, names, strict=True))
    return f"{GROUP}/providers/{provider}{path}"


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "??": lambda a, b: b if a is None else a,
}

CALLS: dict[str, Callable[..., Any]] = {
    "concat": lambda *lists: [element for one in lists for element in one],
    "contains": _contains,
    "deployer": lambda: {"objectId": "00000000-0000-0000-0000-00000000000d"},
    "environment": lambda: {"suffixes": {"storage": "core.windows.net"}},
    "empty": lambda value: not value,
    "indexOf": lambda values, item: values.index(item) if item in values else -1,
    "int": int,
    "items": lambda value: [{"key": key, "value": value[key]} for key in sorted(value)],
    "last": lambda value: value[-1],
    "length": len,
    "newGuid": lambda: "00000000-0000-0000-0000-00000000000e",
    "range": lambda start, count: list(range(start, start + count)),
    "replace": lambda text, old, new: text.replace(old, new),
    "resourceGroup": lambda subscription, name: {
        "id": f"/subscriptions/{subscription}/resourceGroups/{name}"
    },
    "resourceId": _resource_id,
    "skip": lambda values, count: values[count:],
    "split": lambda text, by: text.split(by),
    "string": _string_of,
    "subscription": lambda named="00000000-0000-0000-0000-00000000000a": {
        "id": f"/subscriptions/{named}",
        "subscriptionId": named,
    },
    "take": lambda value, count: value[:count],
    "tenant": lambda: {"tenantId": "00000000-0000-0000-0000-00000000000b"},
    "toLower": lambda text: text.lower(),
    "trim": lambda text: text.strip(),
    "union": _union,
    "uniqueString": lambda *_: "0123456789abc",
}
