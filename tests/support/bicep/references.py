"""Does every name lead somewhere? What a compiler would say first, said without one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import tree_sitter

from .operators import paths
from .syntax import BicepFile, Declaration, Expression, read, text_of, value_of, walk

FUNCTIONS = frozenset(
    {
        "any",
        "array",
        "base64",
        "bool",
        "cidrSubnet",
        "concat",
        "contains",
        "deployer",
        "deployment",
        "empty",
        "endsWith",
        "environment",
        "fail",
        "filter",
        "first",
        "flatten",
        "format",
        "guid",
        "indexOf",
        "int",
        "intersection",
        "items",
        "join",
        "json",
        "last",
        "length",
        "listKeys",
        "loadJsonContent",
        "loadTextContent",
        "map",
        "max",
        "min",
        "newGuid",
        "range",
        "reduce",
        "replace",
        "resourceGroup",
        "resourceId",
        "skip",
        "sort",
        "split",
        "startsWith",
        "string",
        "subscription",
        "subscriptionResourceId",
        "substring",
        "take",
        "tenant",
        "toLower",
        "toObject",
        "toUpper",
        "trim",
        "union",
        "uniqueString",
    }
)
"""Functions of Bicep (Microsoft, "Bicep functions"); those that the templates have no use for yet
are added when they have."""

DECORATORS = frozenset(
    {
        "allowed",
        "batchSize",
        "description",
        "export",
        "maxLength",
        "maxValue",
        "metadata",
        "minLength",
        "minValue",
        "onlyIfNotExists",
        "secure",
    }
)


def unresolved(file: BicepFile) -> list[str]:
    """Names that nothing declares, functions and decorators that Bicep does not have."""
    declared = {one.name for one in file.declarations}
    found = []
    for node, local in _names(file.root, frozenset()):
        name = text_of(node)
        role = _role(node)
        if role == "function":
            good = name in FUNCTIONS
        elif role == "decorator":
            good = name in DECORATORS
        else:
            good = name in declared or name in local or name == "az" or name == "sys"
        if not good:
            found.append(f"{file.path.name}:{node.start_point.row + 1}: {name} is not declared")
    return found


def unused(file: BicepFile) -> list[str]:
    """Parameters and variables that nothing reads."""
    read_names = {text_of(node) for node, _ in _names(file.root, frozenset()) if not _role(node)}
    return [
        f"{file.path.name}: {one.kind} {one.name} is not used"
        for one in file.declarations
        if one.kind in {"parameter", "variable"} and one.name not in read_names
    ]


def names_read(node: tree_sitter.Node) -> frozenset[str]:
    """Names that a part of a template reads, without functions and the variables of its loops."""
    return frozenset(
        text_of(one)
        for one, local in _names(node, frozenset())
        if not _role(one) and text_of(one) not in local
    )


def modules_misfit(file: BicepFile, *, verified: Mapping[str, Any]) -> list[str]:
    """Modules that are not there, parameters and outputs that they do not have, ones they lack.

    `verified`: by `path:version` of the public registry, `parameters` (name: required) and
    `outputs`.
    """
    found = []
    interfaces = {}
    for module in file.of("module").values():
        interface = _interface(file, module, verified)
        if interface is None:
            found.append(f"{file.path.name}: {module.name}: {module.type} is not there")
            continue
        interfaces[module.name] = interface
        given = module.value.get("params", {})
        parameters = interface["parameters"]
        found += [
            f"{file.path.name}: {module.name}: {name} is no parameter of {module.type}"
            for name in given
            if name not in parameters
        ]
        found += [
            f"{file.path.name}: {module.name}: {name} of {module.type} is not given"
            for name, required in parameters.items()
            if required and name not in given
        ]
    for path, node in paths(file.root):
        name, *rest = [part for part in path if part != "[]"]
        if name in interfaces and rest[:1] == ["outputs"]:
            output = rest[1] if len(rest) > 1 else ""
            if output not in interfaces[name]["outputs"]:
                where = f"{file.path.name}:{node.start_point.row + 1}"
                found.append(f"{where}: {name} has no output {output}")
    return found


def files_missing(file: BicepFile) -> list[str]:
    """Files that are loaded and are not there, and keys that a loaded JSON object lacks."""
    found = []
    loaded: dict[str, Any] = {}
    for one in file.declarations:
        if one.kind == "variable" and isinstance(one.value, Expression):
            content = _loaded(file, one.value.node)
            if content is not None:
                loaded[one.name] = content
    for node in walk(file.root):
        if node.type == "call_expression" and text_of(node.named_children[0]).startswith("load"):
            target = file.path.parent / str(value_of(node.named_children[1].named_children[0]))
            if not target.is_file():
                found.append(f"{file.path.name}: {target.name} is not there")
    for (name, *rest), node in paths(file.root):
        content = loaded.get(name)
        if isinstance(content, dict) and rest and rest[0] != "[]" and rest[0] not in content:
            found.append(f"{file.path.name}:{node.start_point.row + 1}: {name} has no {rest[0]}")
    return found


def _loaded(file: BicepFile, node: tree_sitter.Node) -> Any:
    if node.type != "call_expression" or text_of(node.named_children[0]) != "loadJsonContent":
        return None
    path = file.path.parent / str(value_of(node.named_children[1].named_children[0]))
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _interface(
    file: BicepFile, module: Declaration, verified: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    if module.type.startswith("br/public:"):
        known: Mapping[str, Any] | None = verified.get(module.type.removeprefix("br/public:"))
        return known
    path = file.path.parent / module.type
    if not path.is_file():
        return None
    target = read(path)
    return {
        "parameters": {p.name: not p.has_default for p in target.of("parameter").values()},
        "outputs": list(target.of("output")),
    }


def _names(
    node: tree_sitter.Node, local: frozenset[str]
) -> Iterator[tuple[tree_sitter.Node, frozenset[str]]]:
    """Identifiers that are read, each with the loop and lambda variables that it may be."""
    if node.type == "for_statement":
        local |= {text_of(one) for one in _loop_variables(node)}
    elif node.type == "lambda_expression":
        local |= {text_of(n) for n in walk(node.named_children[0]) if n.type == "identifier"}
    if node.type == "identifier" and not _declares(node):
        yield node, local
    for child in node.children:
        yield from _names(child, local)


def _loop_variables(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    first = node.named_children[0]
    if first.type == "for_loop_parameters":
        yield from first.named_children
    else:
        yield first


def _declares(node: tree_sitter.Node) -> bool:
    """Whether the identifier is a name being given, or a key, rather than a name being read."""
    around = node.parent
    if around is None:
        return False
    first = around.named_children[0] == node
    if around.type.endswith("_declaration") or around.type in {"for_statement", "object_property"}:
        return first
    return around.type in {"metadata", "target_scope_assignment", "type"} and first


def _role(node: tree_sitter.Node) -> str:
    around = node.parent
    if around is not None and around.type == "call_expression" and around.named_children[0] == node:
        outer = around.parent
        return "decorator" if outer is not None and outer.type == "decorator" else "function"
    return ""
