"""The documents say what the code does: settings, routes, error codes, names, links."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from ptu_optimizer.settings.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CODE = ROOT / "ptu_optimizer"
NOT_OURS = {".venv", ".local", "node_modules", ".git", ".pytest_cache", ".hypothesis"}

REGISTRIES = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"))] + [
    ".".join(parts) for parts in (("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"))
]
"""Written in parts, so that this file does not name one either."""


def markdown_files() -> list[Path]:
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not NOT_OURS.intersection(path.relative_to(ROOT).parts)
    )


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- settings ------------------------------------------------------------------------------------


def table_rows(text: str) -> dict[str, list[str]]:
    """The rows of every table whose first cell is one `NAME`, by that name."""
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        name = re.fullmatch(r"`([^`]+)`", cells[0])
        if name and line.startswith("|"):
            rows.setdefault(name[1], cells[1:])
    return rows


SETTINGS_ROWS = table_rows((DOCS / "settings.md").read_text(encoding="utf-8"))
ALIASES = {str(info.alias): info for info in Settings.model_fields.values()}


@pytest.mark.parametrize("name", ALIASES)
def test_every_setting_is_described(name: str) -> None:
    assert name in SETTINGS_ROWS


@pytest.mark.parametrize("name", ALIASES)
def test_every_default_is_the_one_that_is_described(name: str) -> None:
    info = ALIASES[name]
    said = SETTINGS_ROWS[name][0].split(";")[0].strip("` ")
    if info.is_required():
        assert said == "required"
    elif info.default_factory is not None:
        assert said == "{}"
    elif info.default is None:
        assert said == "–"
    elif isinstance(info.default, str):
        assert said == info.default
    elif isinstance(info.default, tuple):
        assert json.loads(said) == list(info.default)
    else:
        assert float(said) == info.default


@pytest.mark.parametrize("name", ALIASES)
def test_every_setting_is_in_the_example(name: str) -> None:
    example = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))
    assert name in example["Values"]


def test_every_value_of_the_example_is_a_string_as_the_host_demands() -> None:
    example = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))
    assert all(isinstance(value, str) for value in example["Values"].values())


def leaves(content: dict[str, object]) -> Iterator[str]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value)
        else:
            yield name


EXPLAINED_BY_ITSELF = {"version", "default", "isEnabled", "id", "type"}


def test_every_value_of_host_json_has_its_reason() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8").partition("## host.json")[2]
    content = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    missing = [name for name in leaves(content) if name not in text]
    assert set(missing) <= EXPLAINED_BY_ITSELF


# --- the API -------------------------------------------------------------------------------------


def registered_routes() -> list[tuple[str, str]]:
    """(method, route) of every `@blueprint.route` in the triggers."""
    routes = []
    for path in sorted((CODE / "triggers").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "route":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                route, methods = ast.literal_eval(given["route"]), given["methods"]
                assert isinstance(methods, ast.List)
                routes += [(getattr(m, "attr", ""), f"/{route}") for m in methods.elts]
    return routes


def test_the_routes_are_found() -> None:
    assert ("POST", "/producer") in registered_routes()


@pytest.mark.parametrize("method_and_route", registered_routes(), ids=" ".join)
def test_every_route_is_in_the_reference(method_and_route: tuple[str, str]) -> None:
    assert f"`{' '.join(method_and_route)}`" in (DOCS / "api.md").read_text(encoding="utf-8")


def error_codes() -> set[str]:
    """Every `code="..."` that the app can answer with."""
    found = set()
    for path in CODE.rglob("*.py"):
        found |= set(re.findall(r'\bcode="([a-z_]+)"', path.read_text(encoding="utf-8")))
        found |= set(re.findall(r'"code": "([a-z_]+)"', path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_every_error_code_is_in_the_reference(code: str) -> None:
    assert f"`{code}`" in (DOCS / "api.md").read_text(encoding="utf-8")


# --- names of the code ---------------------------------------------------------------------------


def names_in_the_ledger_rules() -> set[str]:
    """What the *Code:* lines of docs/ledger.md name, `Class.method` and `module.name` alike."""
    text = (DOCS / "ledger.md").read_text(encoding="utf-8")
    paragraphs = re.findall(r"\*Code:\*(.*?)(?:\n\n|\Z)", text, flags=re.DOTALL)
    return {name for one in paragraphs for name in re.findall(r"`([A-Za-z_][\w.]*)`", one)}


def defined_names() -> set[str]:
    names = {path.stem for path in CODE.rglob("*.py")}
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
    return names


def test_the_ledger_rules_name_code_that_exists() -> None:
    parts = {part for name in names_in_the_ledger_rules() for part in name.split(".")}
    assert parts
    assert parts - defined_names() == set()


def logged_messages() -> set[str]:
    """Every constant message that the app logs."""
    found = set()
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in LEVELS:
                message = node.args[0] if node.args else None
                if isinstance(message, ast.Constant):
                    found.add(str(message.value))
            elif isinstance(node, ast.keyword) and node.arg == "failed":
                assert isinstance(node.value, ast.Constant)  # what a Background logs
                found.add(str(node.value.value))
    return found


LEVELS = {"info", "warning", "error", "exception"}


def test_operators_are_told_of_messages_that_are_really_logged() -> None:
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    table = text.partition("| Message |")[2].partition("\n\n")[0]
    told = table_rows(table).keys()
    assert told
    assert set(told) - logged_messages() == set()


def test_there_are_sixteen_ledger_rules() -> None:
    text = (DOCS / "ledger.md").read_text(encoding="utf-8")
    assert re.findall(r"^\*\*(\d+)\.", text, flags=re.MULTILINE) == [
        str(number) for number in range(1, 17)
    ]


def record_types() -> set[str]:
    """The `type` of every record that the app writes, as its constants spell it."""
    found = set()
    for path in CODE.rglob("*.py"):
        found |= set(re.findall(r'"type": "([a-z_]+)"', path.read_text(encoding="utf-8")))
    return {name for name in found if not name.endswith("_error")}


@pytest.mark.parametrize("name", sorted(record_types()))
def test_every_type_of_record_is_in_the_list_of_the_design(name: str) -> None:
    text = (DOCS / "design.md").read_text(encoding="utf-8")
    stored = text.partition("## What is stored where")[2].partition("\n## ")[0]
    assert re.search(rf"\b{name}\b", stored)


# --- links ---------------------------------------------------------------------------------------


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def links(path: Path) -> list[str]:
    """Targets of links and images that point into this repository."""
    text = without_code(path.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    found = set()
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for heading in re.findall(r"^#+ +(.+)$", text, flags=re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", markdown_files(), ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in links(path):
        place, _, anchor = target.partition("#")
        file = (path.parent / unquote(place)).resolve() if place else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", markdown_files(), ids=named)
def test_documents_stand_alone(path: Path) -> None:
    """Nothing outside the repository is referred to."""
    for target in links(path):
        assert (path.parent / target.partition("#")[0]).resolve().is_relative_to(ROOT)


TEXTS = {".bicep", ".json", ".md", ".ps1", ".py", ".sh", ".toml", ".txt", ".xml", ".yaml", ".yml"}
OTHERS_DOCUMENTS = re.compile(
    r"(^|/)(articles|concepts|includes|reference|alerts|logs|metrics|how-to)/"
)
"""Pages of other repositories, as docs/platform.md names its sources."""

MADE_UP = {"decisions/NNNN-a-few-words.md", "nowhere.md", "forgotten.md", "self.md"}
"""A pattern of names, the pages of a test's own site, and a variable."""


def texts() -> list[Path]:
    return [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file()
        and (path.suffix in TEXTS or path.name in {"Dockerfile", "dev"})
        and not NOT_OURS.intersection(path.relative_to(ROOT).parts)
        and path != Path(__file__)
    ]


def documents_named_in(text: str) -> set[str]:
    """Every `NAME.md`, with as much of its path as is given."""
    text = re.sub(r"https?://\S+", "", text)
    found = set(re.findall(r"(?<![\w*{}/.-])[\w./-]*\w\.md\b(?!\.)", text))
    return {name for name in found if not OTHERS_DOCUMENTS.search(name)}


def missing_documents(text: str, *, there: set[str]) -> set[str]:
    """Documents that a text names and the repository does not have; `there`: their paths."""
    ends = {"/" + path for path in there}
    return {
        name
        for name in documents_named_in(text)
        if not any(end.endswith("/" + re.sub(r"^(\.{1,2}/)+", "", name)) for end in ends)
    }


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        pytest.param("as in PLATFORM.md C", {"PLATFORM.md"}, id="of another folder"),
        pytest.param("as in docs/nothing.md", {"docs/nothing.md"}, id="a page that is not there"),
        pytest.param("[a](../other/a.md#b)", {"../other/a.md"}, id="a link"),
        pytest.param("docs/a.md, rule 4; a.md; ../docs/a.md", set(), id="there"),
        pytest.param("AI:how-to/sizing.md", set(), id="a source of the platform's facts"),
    ],
)
def test_a_document_that_is_missing_is_found(text: str, missing: set[str]) -> None:
    assert missing_documents(text, there={"docs/a.md"}) == missing


def test_no_file_refers_to_a_document_that_is_not_there() -> None:
    there = {named(path) for path in markdown_files()}
    missing = {
        f"{named(path)}: {name}"
        for path in texts()
        for name in missing_documents(path.read_text(encoding="utf-8"), there=there)
        if name.removeprefix("docs/") not in MADE_UP
    }
    assert missing == set()


def files_that_installers_read() -> list[Path]:
    return [
        *ROOT.glob("requirements*.txt"),
        *(ROOT / "local" / "azurite").glob("package*.json"),
        ROOT / "pyproject.toml",
    ]


@pytest.mark.parametrize("path", [*markdown_files(), *files_that_installers_read()], ids=named)
def test_no_package_registry_is_named(path: Path) -> None:
    """Which registry serves the packages is the machine's business."""
    text = path.read_text(encoding="utf-8")
    assert [host for host in REGISTRIES if host in text] == []
