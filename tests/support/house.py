"""The import rules of the house (docs/design.md, "Who may import whom"): a check on source text."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass

PACKAGE = "ptu_optimizer"
COMMON = frozenset({"clock", "errors", "telemetry"})
USE_CASES = frozenset({"requests", "gateway", "batches", "tenants"})

MAY_IMPORT: dict[str, frozenset[str]] = {
    "function_app": frozenset({"triggers"}),
    "triggers": USE_CASES | COMMON | {"triggers", "bootstrap"},
    "requests": USE_CASES | COMMON | {"capacity"},
    "gateway": USE_CASES | COMMON | {"capacity"},
    "batches": USE_CASES | COMMON | {"capacity"},
    "tenants": USE_CASES | COMMON | {"capacity"},
    "capacity": frozenset({"capacity"}),
    "adapters": USE_CASES | COMMON | {"adapters", "capacity"},
    "settings": COMMON | {"capacity"},
    "services": USE_CASES | COMMON | {"capacity", "adapters"},
    "bootstrap": USE_CASES | COMMON | {"capacity", "services", "settings"},
    "clock": COMMON,
    "errors": COMMON,
    "telemetry": COMMON,
    "": frozenset(),
}
"""Which parts of the package each part may import; "" is the package's own `__init__`."""

NEVER = frozenset({"local", "tests", "benchmarks"})
SDKS = frozenset({"azure", "azurefunctions", "openai", "httpx", "httpx2", "aiohttp", "jwt"})
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
    """The part of the house that a module belongs to; None if it is not of this app."""
    names = module.split(".")
    if names[0] == "function_app":
        return "function_app"
    if names[0] != PACKAGE:
        return None
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
            Violation(module, line, "only settings.py reads the environment")
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
        if imported in MAY_IMPORT and imported not in MAY_IMPORT[part]:
            return f"{part} may not import {imported or PACKAGE}"
        return None
    if top in SDKS and part not in KNOW_SDKS:
        return f"{part} may not know the SDK {top}"
    if part == "capacity" and top != "pydantic" and top not in sys.stdlib_module_names:
        return f"capacity imports the standard library and pydantic only, not {top}"
    if top == "pydantic_settings" and part not in READS_ENVIRONMENT:
        return "only settings.py reads the environment"
    return None


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
