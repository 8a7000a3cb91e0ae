"""The queries of docs/queries.md find what the app really logs, by the fields that it has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```kusto\n(.*?)```", PAGE, flags=re.DOTALL)
LEVELS = {"info", "warning", "error", "exception"}


def logged() -> dict[str, list[str]]:
    """Each constant message of the app, and the names of its details in their order."""
    found: dict[str, list[str]] = {}
    for path in (ROOT / "ptu_optimizer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") in LEVELS):
                continue
            message = node.args[0] if node.args else None
            if isinstance(message, ast.Constant):
                found[str(message.value)] = details(node)
    return found


def details(call: ast.Call) -> list[str]:
    extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
    keys = extra.keys if isinstance(extra, ast.Dict) else []
    return [str(key.value) for key in keys if isinstance(key, ast.Constant)]


LOGGED = logged()


def functions() -> set[str]:
    """The names of the registered functions, as they are in `requests`."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "ptu_optimizer" / "triggers").glob("*.py")
    )
    return set(re.findall(r'function_name\("(\w+)"\)', source))


def test_there_are_queries() -> None:
    assert len(QUERIES) > 10


@pytest.mark.parametrize(
    "beginning", sorted(set(re.findall(r'message startswith "([^"]+)"', "".join(QUERIES))))
)
def test_a_message_that_is_searched_for_is_logged(beginning: str) -> None:
    if beginning.endswith(": "):  # the whole message, and details behind it
        assert LOGGED.get(beginning.removesuffix(": "))
    else:
        assert any(message.startswith(beginning) for message in LOGGED)


@pytest.mark.parametrize("parts", re.findall(r"parse message with (.+)", "".join(QUERIES)))
def test_a_message_is_taken_apart_by_the_details_that_it_has(parts: str) -> None:
    literals = re.findall(r'"([^"]*)"', parts)
    message, _, _ = literals[0].partition(": ")
    names = [literal.partition("=")[0].removeprefix(f"{message}: ") for literal in literals]
    assert [name.strip() for name in names] == LOGGED[message]


@pytest.mark.parametrize("name", sorted(set(re.findall(r'name == "(\w+)"', "".join(QUERIES)))))
def test_a_function_that_is_asked_for_is_registered(name: str) -> None:
    assert name in functions()


def test_the_dispatch_functions_are_those_with_that_beginning() -> None:
    assert {name for name in functions() if name.startswith("dispatch_")} == {
        "dispatch_requests",
        "dispatch_requests_soon",
        "dispatch_requests_later",
    }
