"""The import rules of the house (docs/design.md, "Who may import whom"): a check on source text."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

PACKAGE = "ptu_optimizer"
COMMON = frozenset({"background", "clock", "errors", "retry", "telemetry"})
PORTS = frozenset({"ports", "capacity.signals"})
"""What the use cases need from outside; readings and minutes are among it."""
CAPACITY = frozenset(
    {
        "capacity",
        "capacity.signals",
        "capacity.calibration",
        "capacity.estimate",
        "capacity.control",
    }
)

MAY_IMPORT: dict[str, frozenset[str]] = {
    "function_app": frozenset({"triggers"}),
    "triggers": COMMON
    | {"triggers", "composition", "ports", "feeds", "gateway", "batches", "tenants"}
    | {"requests", "requests.intake", "requests.dispatch"},
    # the life of a queued request
    "requests": COMMON | PORTS,
    "requests.ledger": COMMON | PORTS | {"requests"},
    "requests.intake": COMMON | PORTS | {"requests", "requests.ledger"},
    "requests.status": COMMON | PORTS | {"requests", "requests.ledger"},
    "requests.sweep": COMMON | PORTS | {"requests", "requests.ledger", "requests.status"},
    "requests.dispatch": COMMON
    | PORTS
    | {"requests", "requests.ledger", "requests.status"}
    | {"admission", "coordination", "backends", "capacity"},
    # what docks beside it
    "gateway": COMMON
    | PORTS
    | {"access", "backends", "capacity.control.breaker", "tenants"}
    | {"requests", "requests.intake", "requests.status"},
    "batches": COMMON
    | PORTS
    | {"access", "backends", "tenants"}
    | {"requests", "requests.intake", "requests.ledger", "requests.status"},
    "tenants": COMMON | PORTS | {"access"},
    # what several of them need
    "coordination": COMMON | PORTS | CAPACITY | {"admission", "backends"},
    "admission": COMMON | PORTS | CAPACITY | {"backends"},
    "backends": COMMON | PORTS | {"capacity"},
    "feeds": COMMON | PORTS | {"access"},
    "operator_views": COMMON | PORTS | CAPACITY | {"coordination", "backends", "requests.id_keys"},
    "access": COMMON,
    "ports": frozenset({"capacity.signals"}),
    # what a deployment has left; pure
    "capacity": frozenset(),
    "capacity.signals": frozenset({"capacity"}),
    "capacity.calibration": frozenset({"capacity", "capacity.signals"}),
    "capacity.estimate": frozenset({"capacity", "capacity.signals", "capacity.calibration"}),
    "capacity.control": CAPACITY - {"capacity.control"},
    # what builds and hands in
    "adapters": COMMON | PORTS | {"access", "backends", "requests.ids"},
    "settings": COMMON | {"capacity", "backends"},
    "services": COMMON | PORTS | {"adapters", "access", "backends"},
    "composition": COMMON
    | PORTS
    | CAPACITY
    | {"services", "settings", "admission", "backends", "coordination", "feeds", "operator_views"}
    | {"requests", "requests.ledger", "requests.intake", "requests.dispatch"}
    | {"requests.status", "requests.sweep", "gateway", "batches", "tenants"},
    "clock": COMMON,
    "background": COMMON,
    "errors": COMMON,
    "retry": COMMON,
    "telemetry": COMMON,
    "": frozenset(),
}
"""Which parts, or single modules of another part, each part may import besides itself. An arrow is
not transitive: what a part may import, its importers may not for that reason. "" is the package's
own `__init__`."""

USE_CASES = frozenset({"requests", "gateway", "batches", "tenants"})
MOST_FILES = 12
"""In a folder: what somebody takes in at one look."""

NEVER = frozenset({"local", "tests", "benchmarks", "openai", "httpx", "httpx2"})
"""The openai client is not among what is installed with the app (docs/decisions/0029)."""
SDKS = frozenset({"azure", "azurefunctions", "aiohttp", "multidict", "yarl", "jwt"})
KNOW_SDKS = frozenset({"function_app", "triggers", "adapters", "services"})
READS_ENVIRONMENT = frozenset({"settings"})
COMPUTED = "?"
ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})


@dataclass(frozen=True, slots=True)
class Violation:
    module: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.what}"


def part_of(module: str) -> str | None:
    """The part of the house that a module belongs to, the narrowest that is defined; None if it is
    not of this app."""
    names = module.split(".")
    if names[0] == "function_app":
        return "function_app"
    if names[0] != PACKAGE:
        return None
    for length in range(len(names), 1, -1):
        part = ".".join(names[1:length])
        if part in MAY_IMPORT:
            return part
    return names[1] if len(names) > 1 else ""


def violations(source: str, *, module: str, is_package: bool = False) -> list[Violation]:
    """Every rule that the source of `module` breaks."""
    part = part_of(module)
    if part not in MAY_IMPORT:
        return [Violation(module, 1, f"{part} is no part of the house: say who may import it")]
    found: list[Violation] = []
    tree = ast.parse(source)
    for line, target in _imports(tree, module, is_package):
        what = _forbidden_import(part, target)
        if what is not None:
            found.append(Violation(module, line, what))
    if part not in READS_ENVIRONMENT:
        found += [
            Violation(module, line, "only settings reads the environment")
            for line in _environment_reads(tree)
        ]
    return found


def _forbidden_import(part: str, target: str) -> str | None:
    top = target.partition(".")[0]
    if target == COMPUTED:
        return "imports by a computed name, which no rule can follow"
    imported = part_of(target)
    if top in NEVER:
        return f"nothing in the app imports {top}"
    if imported is not None:
        # `from ptu_optimizer import x`, x being no module of ours, is `__init__`'s own
        allowed = MAY_IMPORT[part] | {part}
        if imported in MAY_IMPORT and not any(_is_within(target, one) for one in allowed):
            return f"{part} may not import {imported or PACKAGE}"
        return None
    if top in SDKS and part not in KNOW_SDKS:
        return f"{part} may not know the SDK {top}"
    if (
        part.partition(".")[0] == "capacity"
        and top != "pydantic"
        and top not in sys.stdlib_module_names
    ):
        return f"capacity imports the standard library and pydantic only, not {top}"
    if top == "pydantic_settings" and part not in READS_ENVIRONMENT:
        return "only settings reads the environment"
    return None


def _is_within(target: str, allowed: str) -> bool:
    """Whether `allowed` is the part of the imported name, or the very module that it lies in."""
    if part_of(target) == allowed:
        return True
    module = f"{PACKAGE}.{allowed}"
    return allowed not in MAY_IMPORT and (target == module or target.startswith(f"{module}."))


def circles(arrows: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Every set of nodes that reach one another, each sorted. `arrows` leads from node to nodes."""
    reached = {node: _reachable(node, arrows) for node in arrows}
    found = {
        tuple(sorted({node} | {other for other in reached[node] if node in reached.get(other, ())}))
        for node in arrows
        if node in reached[node]
    }
    return [list(one) for one in sorted(found)]


def _reachable(node: str, arrows: Mapping[str, Collection[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(arrows.get(node, ()))
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            ahead.extend(arrows.get(one, ()))
    return found


def imported_modules(
    source: str, *, module: str, is_package: bool, modules: Collection[str]
) -> set[str]:
    """The modules among `modules` that `source` imports, wherever in the file."""
    found = set()
    for _, target in _imports(ast.parse(source), module, is_package):
        for name in (target, target.rpartition(".")[0]):
            if name in modules and name != module:
                found.add(name)
                break
    return found


def _imports(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything imported, wherever in the file."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = [*base, *(node.module.split(".") if node.module else [])]
            for name in node.names:
                yield node.lineno, ".".join([*start, name.name])
        elif isinstance(node, ast.Call) and node.args and _is_import_call(node.func):
            name_given = node.args[0]
            if isinstance(name_given, ast.Constant):
                yield node.lineno, str(name_given.value)
            else:
                yield node.lineno, COMPUTED


def _is_import_call(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"import_module", "__import__"}


def _environment_reads(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names = {node.attr}
        elif isinstance(node, ast.ImportFrom) and node.module in {"os", "posix"}:
            names = {name.name for name in node.names}
        else:
            continue
        if names & ENVIRONMENT:
            yield node.lineno
