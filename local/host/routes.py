"""Route templates of HTTP triggers, matched as the Functions host does.

The host tries routes one after the other, in the order of function names, and takes the first
that matches path and method; it has no precedence of literals over parameters, and a known path
with another method is 404, not 405 (azure-functions-host#10098, WebScriptHostHttpRoutesManager).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from local.host.errors import RefusedError

RESERVED = ("admin", "runtime")
"""First segments that belong to the host; a function on them fails to load (docs/platform.md, "The
Functions host")."""

_CONSTRAINTS: Mapping[str, str] = {
    "int": r"[+-]?\d{1,10}",
    "long": r"[+-]?\d{1,19}",
    "bool": r"(?i:true|false)",
    "guid": r"(?i:\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?)",
    "decimal": r"[+-]?\d+(?:\.\d+)?",
    "double": r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?",
    "float": r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?",
    "alpha": r"[A-Za-z]*",
    "required": r".+",
}
_PARAMETER = re.compile(
    r"\{(?P<star>\*{0,2})(?P<name>[A-Za-z_][\w-]*)(?P<constraints>(?::[^{}=?]+)*)(?P<optional>\??)\}"
)
_CONSTRAINT = re.compile(r":(?P<kind>\w+)(?:\((?P<argument>[^()]*)\))?")


@dataclass(frozen=True)
class Route:
    """One HTTP trigger: which requests it takes."""

    function: str
    template: str
    methods: frozenset[str] | None
    pattern: re.Pattern[str]

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Route parameters if this route takes the request, else `None`."""
        if self.methods is not None and method not in self.methods:
            return None
        match = self.pattern.fullmatch(path.strip("/"))
        if match is None:
            return None
        return {
            name.replace("__dash__", "-"): unquote(value)
            for name, value in match.groupdict().items()
            if value is not None
        }


class RouteTable:
    """All routes of an app, tried in order of function name."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = sorted(routes, key=lambda route: route.function)

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """The function and its route parameters; `None` is a 404. `path` is still quoted."""
        for route in self.routes:
            parameters = route.match(method, path)
            if parameters is not None:
                return route.function, parameters
        return None

    def overlaps(self) -> list[tuple[str, str]]:
        """Pairs of functions that some request could reach both of; the first of them gets it."""
        return [
            (first.function, second.function)
            for index, first in enumerate(self.routes)
            for second in self.routes[index + 1 :]
            if _overlap(first, second)
        ]


def _overlap(first: Route, second: Route) -> bool:
    if first.methods and second.methods and not first.methods & second.methods:
        return False
    ours, theirs = first.template.split("/"), second.template.split("/")
    for mine, other in zip(ours, theirs, strict=False):
        if mine.startswith("{*") or other.startswith("{*"):
            return True
        if "{" not in mine and "{" not in other and mine.lower() != other.lower():
            return False
    longer = ours if len(ours) > len(theirs) else theirs
    rest = longer[min(len(ours), len(theirs)) :]
    return not rest or rest[0].startswith("{*") or rest[0].endswith("?}")


def build_route(
    *, function: str, template: str, methods: Iterable[str] | None, prefix: str
) -> Route:
    """Compile one trigger's route under the app's route prefix, or refuse it."""
    where = f"function {function}: route {template!r}"
    full = "/".join(part for part in (prefix, template.strip("/")) if part)
    # The real host rejects the function's own route, and the prefix shields nothing.
    for text in (template.strip("/"), full):
        if text.split("/")[0].lower() in RESERVED:
            raise RefusedError(f"{where}: routes must not start with {' or '.join(RESERVED)}")
    allowed = frozenset(method.upper() for method in methods) if methods else None
    return Route(function, full, allowed, re.compile(_pattern(full, where)))


def _pattern(template: str, where: str) -> str:
    pattern = ""
    segments = template.split("/") if template else []
    for index, segment in enumerate(segments):
        whole = _PARAMETER.fullmatch(segment)
        last = index == len(segments) - 1
        slash = "/" if index else ""
        if whole is None:
            pattern += slash + _mixed_segment(segment, where)
        elif whole["star"]:
            if not last:
                raise RefusedError(f"{where}: a catch-all must be the last segment")
            pattern += f"(?:{slash}{_group(whole, '.*', where)})?"
        elif whole["optional"]:
            if not last:
                raise RefusedError(f"{where}: an optional parameter must be the last segment")
            pattern += f"(?:{slash}{_group(whole, '[^/]+', where)})?"
        else:
            pattern += slash + _group(whole, "[^/]+", where)
    return pattern


def _mixed_segment(segment: str, where: str) -> str:
    """A segment of literals and parameters, such as `v{version}` or `files`."""
    pattern, position = "", 0
    for match in _PARAMETER.finditer(segment):
        if match["star"] or match["optional"]:
            raise RefusedError(f"{where}: {match[0]} must be a segment of its own")
        pattern += _literal(segment[position : match.start()], where)
        pattern += _group(match, "[^/]+?", where)
        position = match.end()
    return pattern + _literal(segment[position:], where)


def _literal(text: str, where: str) -> str:
    if "{" in text or "}" in text:
        raise RefusedError(f"{where}: {text!r} is not a route parameter this host supports")
    return f"(?i:{re.escape(text)})" if text else ""


def _group(match: re.Match[str], body: str, where: str) -> str:
    checks = "".join(_lookahead(part, where) for part in _CONSTRAINT.finditer(match["constraints"]))
    return f"(?P<{match['name'].replace('-', '__dash__')}>{checks}{body})"


def _lookahead(constraint: re.Match[str], where: str) -> str:
    kind, argument = constraint["kind"], constraint["argument"]
    end = r"(?=/|$)"
    if argument is None and kind in _CONSTRAINTS:
        return f"(?={_CONSTRAINTS[kind]}{end})"
    if argument is not None and kind == "regex":
        return f"(?=(?:{argument.strip('^$')}){end})"
    numbers = [part.strip() for part in (argument or "").split(",")]
    if all(number.isdigit() for number in numbers):
        if kind == "length" and len(numbers) <= 2:
            return f"(?=[^/]{{{','.join(numbers)}}}{end})"
        if kind == "minlength" and len(numbers) == 1:
            return f"(?=[^/]{{{numbers[0]},}}{end})"
        if kind == "maxlength" and len(numbers) == 1:
            return f"(?=[^/]{{0,{numbers[0]}}}{end})"
    raise RefusedError(f"{where}: the constraint {constraint[0][1:]!r} is not supported")
