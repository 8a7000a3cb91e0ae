"""Has a resource the properties that its type has? By the types that Bicep's compiler uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .syntax import Declaration, Expression, Loop

OF_BICEP = frozenset({"parent", "scope", "dependsOn", "apiVersion"})
"""Properties of every resource that are the language's, not the type's."""
OF_EVERY_RESOURCE = frozenset({"name", "location", "tags"})

BUILT_IN = {
    "string": str,
    "int": int,
    "bool": bool,
    "object": dict,
    "array": list,
}

Types = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By `Provider/type@version`, object type ("" is the body), property: its type, `!` if required."""


def misfits(resource: Declaration, types: Types) -> list[str]:
    """What is wrong with the properties of one resource, by path."""
    objects = types.get(resource.type)
    if objects is None:
        return [f"{resource.type} is not in the table of types"]
    if not isinstance(resource.value, dict):
        return ["has no body"]
    body = {name: value for name, value in resource.value.items() if name not in OF_BICEP}
    return list(_object(body, objects, "", path=""))


def _object(
    value: Mapping[str, Any], objects: Mapping[str, Mapping[str, str]], kind: str, *, path: str
) -> Iterator[str]:
    known = objects[kind]
    for name, given in value.items():
        where = f"{path}.{name}".lstrip(".")
        if name in known:
            yield from _value(given, objects, known[name].rstrip("!"), path=where)
        elif "*" not in known and not name.startswith("${"):
            yield f"{where} does not exist, or is read-only"
    for name, of in known.items():
        if of.endswith("!") and name not in value and name != "name":
            yield f"{path}.{name} is missing".lstrip(".")


def _value(
    value: Any, objects: Mapping[str, Mapping[str, str]], kind: str, *, path: str
) -> Iterator[str]:
    if isinstance(value, Expression):
        for branch in value.branches():
            if not isinstance(branch, Expression):
                yield from _value(branch, objects, kind, path=path)
        return
    if value is None or kind == "any":
        return
    if kind.endswith("[]"):
        yield from _array(value, objects, kind.removesuffix("[]"), path=path)
    elif kind in objects:
        if not isinstance(value, dict):
            yield f"{path} is no object"
        else:
            yield from _object(value, objects, kind, path=path)
    elif kind in BUILT_IN:
        right = BUILT_IN[kind]
        if not isinstance(value, right) or (right is int and isinstance(value, bool)):
            yield f"{path} is no {kind}"
    elif not isinstance(value, str):
        yield f"{path} is no string"
    elif value not in (allowed := kind.split(" | ")):
        yield f"{path} is {value!r}, not one of {allowed}"


def _array(
    value: Any, objects: Mapping[str, Mapping[str, str]], kind: str, *, path: str
) -> Iterator[str]:
    if isinstance(value, Loop):
        yield from _value(value.body, objects, kind, path=f"{path}[]")
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from _value(element, objects, kind, path=f"{path}[{index}]")
    else:
        yield f"{path} is no array"
