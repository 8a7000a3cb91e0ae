"""The house: who may import whom, held by reading the files; and the check itself is checked."""

from pathlib import Path

import pytest

from tests.support.house import (
    MAY_IMPORT,
    MOST_FILES,
    PACKAGE,
    USE_CASES,
    Violation,
    circles,
    imported_modules,
    part_of,
    violations,
)

ROOT = Path(__file__).resolve().parent.parent
FILES = [ROOT / "function_app.py", *sorted((ROOT / PACKAGE).rglob("*.py"))]


def module_of(file: Path) -> str:
    names = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(ROOT)) for file in FILES])
def test_this_file_keeps_the_rules_of_the_house(file: Path) -> None:
    found = violations(
        file.read_text(encoding="utf-8"),
        module=module_of(file),
        is_package=file.name == "__init__.py",
    )
    assert not found, "\n".join(map(str, found))


def test_the_files_of_the_house_were_found() -> None:
    parts = {part_of(module_of(file)) for file in FILES}
    assert {"function_app", "triggers", "requests", "capacity", "adapters", "settings"} <= parts


def arrows() -> dict[str, set[str]]:
    """From each module of the app to those that it imports, type checking included."""
    modules = {module_of(file) for file in FILES}
    return {
        module_of(file): imported_modules(
            file.read_text(encoding="utf-8"),
            module=module_of(file),
            is_package=file.name == "__init__.py",
            modules=modules,
        )
        for file in FILES
    }


def test_no_modules_import_one_another() -> None:
    assert circles(arrows()) == []


def test_no_packages_import_one_another() -> None:
    between: dict[str, set[str]] = {}
    for module, targets in arrows().items():
        part = part_of(module) or ""
        others = {part_of(target) or "" for target in targets} - {part}
        between.setdefault(part, set()).update(others)
    assert between["requests.dispatch"] >= {"admission", "requests.ledger"}
    assert circles(between) == []


def test_the_rules_themselves_allow_no_circle_but_among_use_cases_and_what_all_share() -> None:
    """A circle that the rules allow is one that somebody may build tomorrow."""
    shared = {"background", "clock", "errors", "telemetry"}
    allowed = {
        part: {(part_of(f"{PACKAGE}.{one}") or "") for one in targets} - {part} - shared
        for part, targets in MAY_IMPORT.items()
    }
    assert circles(allowed) == []


FOLDERS = sorted({file.parent for file in FILES} - {ROOT})


@pytest.mark.parametrize("folder", FOLDERS, ids=[str(f.relative_to(ROOT)) for f in FOLDERS])
def test_a_folder_can_be_taken_in_at_one_look(folder: Path) -> None:
    files = [file for file in folder.glob("*.py") if file.name != "__init__.py"]
    assert len(files) <= MOST_FILES


# --- the check finds what is planted ------------------------------------------------------------


def found(source: str, *, module: str, is_package: bool = False) -> list[str]:
    return [v.what for v in violations(source, module=module, is_package=is_package)]


@pytest.mark.parametrize(
    ("module", "source", "what"),
    [
        pytest.param(
            "function_app",
            "from ptu_optimizer.requests.intake.intake import Intake",
            "function_app may not import requests.intake",
            id="function_app goes past triggers",
        ),
        pytest.param(
            "ptu_optimizer.triggers.dispatch",
            "from ptu_optimizer.adapters.cosmos import CosmosStore",
            "triggers may not import adapters",
            id="a trigger builds an adapter",
        ),
        pytest.param(
            "ptu_optimizer.triggers.dispatch",
            "from ..settings import load_settings",
            "triggers may not import settings",
            id="a trigger reads settings, relatively",
        ),
        pytest.param(
            "ptu_optimizer.triggers.dispatch",
            "from ptu_optimizer.capacity.control.signal_log import Gauge",
            "triggers may not import capacity.control",
            id="a trigger goes past the use cases",
        ),
        pytest.param(
            "ptu_optimizer.requests.intake.intake",
            "from ptu_optimizer import settings",
            "requests.intake may not import settings",
            id="a use case imports settings from the package",
        ),
        pytest.param(
            "ptu_optimizer.requests.intake.intake",
            "def f():\n    from ...adapters import cosmos",
            "requests.intake may not import adapters",
            id="hidden in a function",
        ),
        pytest.param(
            "ptu_optimizer.requests.intake.intake",
            "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import ptu_optimizer.composition.application",
            "requests.intake may not import composition",
            id="for type checking only",
        ),
        pytest.param(
            "ptu_optimizer.requests.intake.intake",
            "from azure.cosmos import CosmosClient",
            "requests.intake may not know the SDK azure",
            id="a use case knows an SDK",
        ),
        pytest.param(
            "ptu_optimizer.adapters.backend_http",
            "import openai",
            "nothing in the app imports openai",
            id="the client that the app does without",
        ),
        pytest.param(
            "ptu_optimizer.capacity.control.signal_log",
            "from ptu_optimizer.clock import Clock",
            "capacity.control may not import clock",
            id="capacity imports what all others may",
        ),
        pytest.param(
            "ptu_optimizer.capacity.control.signal_log",
            "from ...requests import ids",
            "capacity.control may not import requests",
            id="capacity looks up",
        ),
        pytest.param(
            "ptu_optimizer.capacity.control.signal_log",
            "import orjson",
            "capacity imports the standard library and pydantic only, not orjson",
            id="capacity imports a package",
        ),
        pytest.param(
            "ptu_optimizer.requests.ledger.outcomes",
            "from ptu_optimizer.requests.dispatch.route import Route",
            "requests.ledger may not import requests.dispatch",
            id="a room looks into one above it",
        ),
        pytest.param(
            "ptu_optimizer.capacity.signals.minute",
            "from ptu_optimizer.capacity.control.breaker import Breaker",
            "capacity.signals may not import capacity.control",
            id="a signal knows who controls",
        ),
        pytest.param(
            "ptu_optimizer.gateway.failover",
            "from ptu_optimizer.capacity.control.level_controller import LevelController",
            "gateway may not import capacity.control",
            id="beside the one module that is allowed",
        ),
        pytest.param(
            "ptu_optimizer.adapters.cosmos",
            "from ptu_optimizer.requests.item import Item",
            "adapters may not import requests",
            id="an adapter knows a use case",
        ),
        pytest.param(
            "ptu_optimizer.adapters.cosmos",
            "from ptu_optimizer.settings import Settings",
            "adapters may not import settings",
            id="an adapter reads settings",
        ),
        pytest.param(
            "ptu_optimizer.errors",
            "from .requests.model import Item",
            "errors may not import requests",
            id="what all import looks up",
        ),
        pytest.param(
            "ptu_optimizer.composition.application",
            "from ..triggers import blueprints",
            "composition may not import triggers",
            id="the composition root looks up",
        ),
        pytest.param(
            "ptu_optimizer.composition.application",
            "from local.ptu import simulation",
            "nothing in the app imports local",
            id="the app imports the local system",
        ),
        pytest.param(
            "ptu_optimizer.composition.application",
            "import benchmarks.throughput as b",
            "nothing in the app imports benchmarks",
            id="the app imports the benchmarks",
        ),
        pytest.param(
            "ptu_optimizer.composition.application",
            "import importlib\nimportlib.import_module('tests.support')",
            "nothing in the app imports tests",
            id="by name",
        ),
        pytest.param(
            "ptu_optimizer.composition.application",
            "from importlib import import_module\nimport_module('lo' + 'cal')",
            "imports by a computed name, which no rule can follow",
            id="by a computed name",
        ),
        pytest.param(
            "ptu_optimizer.newpart.thing",
            "",
            "newpart is no part of the house: say who may import it",
            id="a part that nobody defined",
        ),
    ],
)
def test_a_planted_import_is_found(module: str, source: str, what: str) -> None:
    assert found(source, module=module) == [what]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import os\nx = os.environ['X']", id="os.environ"),
        pytest.param("import os\nx = os.getenv('X')", id="os.getenv"),
        pytest.param("import os as o\nx = o.environ.get('X')", id="under another name"),
        pytest.param("from os import environ", id="from os import environ"),
        pytest.param("from os import getenv as g", id="from os import getenv as"),
        pytest.param("from pydantic_settings import BaseSettings", id="another settings class"),
    ],
)
def test_only_settings_reads_the_environment(source: str) -> None:
    for module in (
        "function_app",
        "ptu_optimizer.composition.application",
        "ptu_optimizer.admission.gate",
    ):
        assert found(source, module=module) == ["only settings reads the environment"]
    assert found(source, module="ptu_optimizer.settings") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("function_app", "import azure.functions as func\nfrom ptu_optimizer.triggers import x"),
        (
            "ptu_optimizer.triggers.requests",
            "from ptu_optimizer.composition.application import application",
        ),
        ("ptu_optimizer.triggers.requests", "from .http import answering"),
        (
            "ptu_optimizer.admission.gate",
            "from ptu_optimizer.capacity.control.signal_log import Gauge",
        ),
        (
            "ptu_optimizer.gateway.failover",
            "from ptu_optimizer.capacity.control.breaker import Breaker",
        ),
        ("ptu_optimizer.adapters.cosmos", "from ptu_optimizer.requests.ids import bucket_of"),
        ("ptu_optimizer.batches.files", "from ptu_optimizer.requests.intake.intake import Intake"),
        ("ptu_optimizer.capacity.work", "import json\nfrom pydantic import BaseModel"),
        ("ptu_optimizer.capacity.control.signal_log", "from .reading import Reading"),
        ("ptu_optimizer.adapters.cosmos", "from azure.cosmos import exceptions\nimport orjson"),
        (
            "ptu_optimizer.composition.application",
            "import os\nfrom ptu_optimizer.settings.settings import Settings\nos.getpid()",
        ),
    ],
)
def test_what_is_allowed_is_not_complained_about(module: str, source: str) -> None:
    assert found(source, module=module) == []


def test_in_a_package_relative_imports_start_at_itself() -> None:
    assert found("from . import dispatch", module="ptu_optimizer.triggers", is_package=True) == []
    assert found("from .. import adapters", module="ptu_optimizer.triggers", is_package=True) == [
        "triggers may not import adapters"
    ]


def test_a_violation_says_where() -> None:
    planted = violations("\n\nimport local", module="ptu_optimizer.composition.application")
    assert [str(violation) for violation in planted] == [
        str(
            Violation(
                "ptu_optimizer.composition.application", 3, "nothing in the app imports local"
            )
        )
    ]


def test_what_sources_import_is_found_module_by_module() -> None:
    modules = {"ptu_optimizer.a.b", "ptu_optimizer.a.c", "ptu_optimizer.d"}
    source = "from .c import thing\nfrom ptu_optimizer import d\nimport os\nfrom .b import itself\n"
    found_modules = imported_modules(
        source, module="ptu_optimizer.a.b", is_package=False, modules=modules
    )
    assert found_modules == {"ptu_optimizer.a.c", "ptu_optimizer.d"}


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        pytest.param({"a": ["b"], "b": ["c"], "c": []}, [], id="a line"),
        pytest.param({"a": ["b"], "b": ["a"]}, [["a", "b"]], id="two that know each other"),
        pytest.param(
            {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]},
            [["a", "b", "c"]],
            id="three in a ring",
        ),
        pytest.param({"a": ["a"]}, [["a"]], id="one that imports itself"),
        pytest.param(
            {"a": ["b"], "b": ["a", "c"], "c": ["d"], "d": ["c"]},
            [["a", "b"], ["c", "d"]],
            id="two rings",
        ),
    ],
)
def test_circles_are_found(graph: dict[str, list[str]], expected: list[list[str]]) -> None:
    assert circles(graph) == expected


def test_every_use_case_has_a_part() -> None:
    assert MAY_IMPORT.keys() >= USE_CASES
