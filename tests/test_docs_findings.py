"""Each finding has a line, and the tests that a line names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.splitlines() if re.match(r"\| [A-Z]+\d+ \|", line)]

A = [*range(1, 32), 40, *range(60, 73)]
C = range(1, 12)


def named_tests(line: str) -> list[tuple[str, str]]:
    """(file, function) of each test of a line; `::name` stands for the file before it."""
    found: list[tuple[str, str]] = []
    file = ""
    for path, name in re.findall(r"(tests/[\w/]+\.py)?::(\w+)", line):
        file = path or file
        found.append((file, name))
    return found


@pytest.mark.parametrize("finding", [*(f"A{n}" for n in A), *(f"C{n}" for n in C)])
def test_every_finding_has_a_line(finding: str) -> None:
    assert any(line.startswith(f"| {finding} |") for line in LINES)


@pytest.mark.parametrize("line", LINES, ids=[line.split(" | ")[0].strip("| ") for line in LINES])
def test_the_tests_of_a_line_are_there(line: str) -> None:
    tests = named_tests(line)
    words = line.split(" | ")[1]
    assert tests or re.search(r"documented|no change|tests/|docs/", line), words
    for file, name in tests:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"def {name}\(", text), f"{file} has no {name}"
