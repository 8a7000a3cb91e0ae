"""The house: who may import whom, held by reading the files; and the check itself is checked."""

from pathlib import Path

import pytest

from tests.support.house import MAY_IMPORT, PACKAGE, USE_CASES, Violation, part_of, violations

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


# --- the check finds what is planted ------------------------------------------------------------


def found(source: str, *, module: str, is_package: bool = False) -> list[str]:
    return [v.what for v in violations(source, module=module, is_package=is_package)]


@pytest.mark.parametrize(
    ("module", "source", "what"),
    [
        pytest.param(
            "function_app",
            "from ptu_optimizer.requests.intake.intake import Intake",
            "function_app may not import requests",
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
            "triggers may not import capacity",
            id="a trigger goes past the use cases",
        ),
        pytest.param(
            "ptu_optimizer.requests.intake.intake",
            "from ptu_optimizer import settings",
            "requests may not import settings",
            id="a use case imports settings from the package",
        ),
        pytest.param(
            "ptu_optimizer.requests.intake.intake",
            "def f():\n    from ...adapters import cosmos",
            "requests may not import adapters",
            id="hidden in a function",
        ),
        pytest.param(
            "ptu_optimizer.requests.intake.intake",
            "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import ptu_optimizer.bootstrap",
            "requests may not import bootstrap",
            id="for type checking only",
        ),
        pytest.param(
            "ptu_optimizer.requests.intake.intake",
            "from azure.cosmos import CosmosClient",
            "requests may not know the SDK azure",
            id="a use case knows an SDK",
        ),
        pytest.param(
            "ptu_optimizer.requests.intake.intake",
            "import openai",
            "requests may not know the SDK openai",
            id="a use case knows openai",
        ),
        pytest.param(
            "ptu_optimizer.capacity.control.signal_log",
            "from ptu_optimizer.clock import Clock",
            "capacity may not import clock",
            id="capacity imports what all others may",
        ),
        pytest.param(
            "ptu_optimizer.capacity.control.signal_log",
            "from ...requests import ids",
            "capacity may not import requests",
            id="capacity looks up",
        ),
        pytest.param(
            "ptu_optimizer.capacity.control.signal_log",
            "import orjson",
            "capacity imports the standard library and pydantic only, not orjson",
            id="capacity imports a package",
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
            "ptu_optimizer.bootstrap",
            "from .triggers import blueprints",
            "bootstrap may not import triggers",
            id="bootstrap looks up",
        ),
        pytest.param(
            "ptu_optimizer.bootstrap",
            "from local.ptu import simulation",
            "nothing in the app imports local",
            id="the app imports the local system",
        ),
        pytest.param(
            "ptu_optimizer.bootstrap",
            "import benchmarks.throughput as b",
            "nothing in the app imports benchmarks",
            id="the app imports the benchmarks",
        ),
        pytest.param(
            "ptu_optimizer.bootstrap",
            "import importlib\nimportlib.import_module('tests.support')",
            "nothing in the app imports tests",
            id="by name",
        ),
        pytest.param(
            "ptu_optimizer.bootstrap",
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
    for module in ("function_app", "ptu_optimizer.bootstrap", "ptu_optimizer.admission.gate"):
        assert found(source, module=module) == ["only settings.py reads the environment"]
    assert found(source, module="ptu_optimizer.settings") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("function_app", "import azure.functions as func\nfrom ptu_optimizer.triggers import x"),
        ("ptu_optimizer.triggers.requests", "from ptu_optimizer.bootstrap import application"),
        ("ptu_optimizer.triggers.requests", "from .http import answering"),
        (
            "ptu_optimizer.admission.gate",
            "from ptu_optimizer.capacity.control.signal_log import Gauge",
        ),
        ("ptu_optimizer.batches.files", "from ptu_optimizer.requests.intake.intake import Intake"),
        ("ptu_optimizer.capacity.work", "import json\nfrom pydantic import BaseModel"),
        ("ptu_optimizer.capacity.control.signal_log", "from .reading import Reading"),
        ("ptu_optimizer.adapters.cosmos", "from azure.cosmos import exceptions\nimport orjson"),
        ("ptu_optimizer.bootstrap", "import os\nfrom .settings import Settings\nos.getpid()"),
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
    planted = violations("\n\nimport local", module="ptu_optimizer.bootstrap")
    assert [str(violation) for violation in planted] == [
        str(Violation("ptu_optimizer.bootstrap", 3, "nothing in the app imports local"))
    ]


def test_the_arrows_of_the_house_form_no_circle() -> None:
    """From function_app down to capacity; use cases may know each other, nobody looks up."""
    order = [
        "function_app",
        "triggers",
        "bootstrap",
        "services",
        "adapters",
        *sorted(USE_CASES),
        "capacity",
    ]
    for index, part in enumerate(order):
        above = set(order[:index]) - USE_CASES
        assert not (MAY_IMPORT[part] - {part}) & above
