"""API Management policies: what is in them, and what they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

import tree_sitter
import tree_sitter_c_sharp

EVERYWHERE = frozenset({"inbound", "backend", "outbound", "on-error"})
ALLOWED: dict[str, frozenset[str]] = {
    "authentication-managed-identity": frozenset({"inbound"}),
    "base": EVERYWHERE,
    "choose": EVERYWHERE,
    "forward-request": frozenset({"backend"}),
    "include-fragment": EVERYWHERE,
    "log-to-eventhub": EVERYWHERE,
    "retry": EVERYWHERE,
    "return-response": EVERYWHERE,
    "rewrite-uri": frozenset({"inbound"}),
    "set-backend-service": frozenset({"inbound", "backend"}),
    "set-body": frozenset({"inbound", "backend", "outbound"}),
    "set-header": EVERYWHERE,
    "set-query-parameter": frozenset({"inbound", "backend"}),
    "set-variable": EVERYWHERE,
    "validate-jwt": frozenset({"inbound"}),
}
"""Sections in which a policy may stand (Microsoft, "API Management policy reference")."""
CONTROL = frozenset({"choose", "retry"})
INSIDE = frozenset({"when", "otherwise"})


@dataclass
class Policy:
    """One policy file or fragment."""

    root: ElementTree.Element
    fragments: set[str] = field(default_factory=set)
    named_values: set[str] = field(default_factory=set)
    backends: set[str] = field(default_factory=set)
    loggers: set[str] = field(default_factory=set)
    variables_read: set[str] = field(default_factory=set)
    variables_set: set[str] = field(default_factory=set)
    operations: set[str] = field(default_factory=set)
    expressions: list[str] = field(default_factory=list)


def parse(text: str) -> Policy:
    """Raises xml.etree.ElementTree.ParseError."""
    policy = Policy(root=ElementTree.fromstring(text))
    for element in policy.root.iter():
        for name, value in _texts(element):
            policy.named_values |= set(re.findall(r"\{\{([\w.-]+)\}\}", value))
            if value.startswith("@"):
                policy.expressions.append(value)
                policy.variables_read |= set(
                    re.findall(r'Variables(?:\.\w+(?:<\w+>)?\(|\[)"([\w-]+)"', value)
                )
                policy.operations |= set(re.findall(r'Operation\.Id [!=]= "([\w-]+)"', value))
            elif name == "fragment-id":
                policy.fragments.add(value)
            elif name == "backend-id":
                policy.backends.add(value)
            elif name == "logger-id":
                policy.loggers.add(value)
            if name.endswith("variable-name") or (element.tag == "set-variable" and name == "name"):
                policy.variables_set.add(value)
    return policy


def misplaced(root: ElementTree.Element, *, sections: frozenset[str] | None = None) -> list[str]:
    """Policies that do not exist, or do not belong where they stand. `sections`: of a fragment,
    where it is included."""
    if root.tag == "fragment":
        return [said for one in root for said in _misplaced(one, sections or EVERYWHERE)]
    found = [f"{root.tag} is no policy document"] if root.tag != "policies" else []
    if [one.tag for one in root] != ["inbound", "backend", "outbound", "on-error"]:
        found.append("sections are inbound, backend, outbound, on-error, in this order")
    for section in root:
        found += [said for one in section for said in _misplaced(one, frozenset({section.tag}))]
        if section.tag == "backend" and len(section) != 1:
            found.append("backend holds one policy")
    return found


def included(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """(section, fragment) of each fragment that a document includes."""
    for section in root:
        for element in section.iter("include-fragment"):
            yield section.tag, element.attrib["fragment-id"]


def csharp_errors(expression: str) -> list[str]:
    """What is no C# in an expression, `@(…)` or `@{…}`."""
    inner = expression[2:-1]
    if expression[:2] == "@(" and expression.endswith(")"):
        body = f"return {inner};"
    elif expression[:2] == "@{" and expression.endswith("}"):
        body = inner
    else:
        return [f"{expression[:30]!r} is no expression"]
    source = f"class P {{ object M(Context context) {{ {body} }} }}"
    language = tree_sitter.Language(tree_sitter_c_sharp.language())
    ahead = [tree_sitter.Parser(language).parse(source.encode()).root_node]
    found = []
    while ahead:
        node = ahead.pop()
        if node.type == "ERROR" or node.is_missing:
            found.append(f"no C#: {(node.text or b'').decode()[:40]!r}")
        ahead += node.children
    return found


def _texts(element: ElementTree.Element) -> Iterator[tuple[str, str]]:
    yield from element.attrib.items()
    if element.text and element.text.strip():
        yield "", element.text.strip()


def _misplaced(element: ElementTree.Element, sections: frozenset[str]) -> Iterator[str]:
    if element.tag not in INSIDE:
        where = ALLOWED.get(element.tag)
        if where is None:
            yield f"{element.tag} is not known"
        elif not sections <= where:
            yield f"{element.tag} does not belong into {', '.join(sorted(sections - where))}"
    if element.tag in CONTROL | INSIDE:
        for child in element:
            yield from _misplaced(child, sections)
