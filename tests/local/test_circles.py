"""No modules of `local/` import each other in a circle, not even for the type checker alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def modules() -> dict[str, str]:
    """The source of every module of `local/`, by its dotted name; of a package, its `__init__`."""
    found = {}
    for path in (ROOT / "local").rglob("*.py"):
        names = path.relative_to(ROOT).with_suffix("").parts
        if "node_modules" not in names:
            found[".".join(names)] = path.read_text(encoding="utf-8")
    return found


def imported(source: str, *, module: str) -> Iterator[str]:
    """Every dotted name that may be meant by an import anywhere in the source."""
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = [*base, *(node.module.split(".") if node.module else [])]
            for name in node.names:
                yield ".".join([*start, name.name])


def arrows(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Which module imports which. A name that is no module is its package's or its module's."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        graph[module] = set()
        for name in imported(source, module=module):
            parent = name.rpartition(".")[0]
            for target in (name, f"{name}.__init__", parent, f"{parent}.__init__"):
                if target in sources:
                    graph[module].add(target)
                    break
    return graph


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One of the circles, if there is any."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = arrows(modules())
    assert len(graph) > 150, "few modules are found: nothing is shown"
    assert "local.event_hubs.session" in graph["local.event_hubs.links"]
    assert circle(graph) == []


@pytest.mark.parametrize(
    "back",
    [
        pytest.param("from .a import A", id="relative"),
        pytest.param("from . import a", id="of the package"),
        pytest.param("import local.x.a", id="absolute"),
        pytest.param("def f():\n    from local.x import a", id="in a function"),
        pytest.param("if TYPE_CHECKING:\n    from .a import A", id="for the type checker"),
    ],
)
def test_a_circle_is_found(back: str) -> None:
    sources = {
        "local.x.__init__": "from .a import A",
        "local.x.a": "from .b import B",
        "local.x.b": back,
    }
    assert set(circle(arrows(sources))) == {"local.x.a", "local.x.b"}
    assert circle(arrows({**sources, "local.x.b": "import asyncio"})) == []
