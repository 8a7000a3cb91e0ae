"""Every rule's test fails without its rule: the code is mutated, and the test must notice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.requests.protocol import test_rules
from tests.requests.protocol.mutant import CAUGHT
from tests.requests.protocol.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def verdicts() -> list[list[str]]:
    """What each mutation's test made of it, in their order."""
    tried = subprocess.run(
        [sys.executable, "-m", "tests.requests.protocol.mutant"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert tried.returncode == 0, tried.stderr
    return [orjson.loads(line) for line in tried.stdout.splitlines()]


@pytest.mark.parametrize(
    ("number", "mutation"),
    list(enumerate(MUTATIONS)),
    ids=[mutation.name for mutation in MUTATIONS],
)
def test_a_broken_rule_is_noticed(
    number: int, mutation: Mutation, verdicts: list[list[str]]
) -> None:
    assert verdicts[number] == [mutation.test, mutation.module, CAUGHT]


def test_every_rule_that_has_a_test_has_a_mutation() -> None:
    tested = {name[:12] for name in dir(test_rules) if name.startswith("test_rule_")}
    assert tested == {mutation.test[:12] for mutation in MUTATIONS}
    assert len(tested) == 15
