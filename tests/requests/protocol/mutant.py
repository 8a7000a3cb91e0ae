"""Runs tests against mutated code: `python -m tests.requests.protocol.mutant` tries every mutation.

Each mutant lives in a process of its own, forked before any of the app's code is imported; its
module is changed on the way from the disk to the compiler, never on the disk. One line of JSON per
mutation tells what its test made of it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson

# what mutants share, imported before the first fork; none of it is the app's
import pydantic  # noqa: F401
import pytest

from tests.requests.protocol.mutations import MUTATIONS, Mutation

SECONDS = 20
"""No test of a rule takes longer, however broken the rule."""

CAUGHT = "caught"
BROKEN = (SyntaxError, NameError, TypeError, AttributeError, ImportError)
"""These say that the mutation is no program, not that a rule was broken."""

RULES = "tests.requests.protocol.test_rules"


class _MutatingLoader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, mutation: Mutation) -> None:
        super().__init__(name, path)
        self._mutation = mutation

    def path_stats(self, path: str) -> dict[str, Any]:
        raise OSError("a mutant has no compiled file")

    def get_data(self, path: str) -> bytes:
        return mutated(self._mutation, super().get_data(path).decode()).encode()


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutation: Mutation) -> None:
        self._mutation = mutation
        self._name = "ptu_optimizer." + mutation.module.replace("/", ".")

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._name or path is None:
            return None
        file = str(Path(path[0]) / (name.rpartition(".")[2] + ".py"))
        loader = _MutatingLoader(name, file, self._mutation)
        return importlib.util.spec_from_file_location(name, file, loader=loader)


def mutated(mutation: Mutation, source: str) -> str:
    found = source.count(mutation.old)
    if found != 1:
        raise SyntaxError(f"the text to replace occurs {found} times in {mutation.module}.py")
    return source.replace(mutation.old, mutation.new)


def try_out(mutation: Mutation) -> str:
    """What the test makes of the mutant: `caught`, or why not."""
    assert not any(name.startswith("ptu_optimizer") for name in sys.modules)
    sys.meta_path.insert(0, _Finder(mutation))
    try:
        module = importlib.import_module(RULES)
        world = importlib.import_module("tests.requests.protocol.world")
        with world.loud() as errors:
            verdict = _verdict(getattr(module, mutation.test))
    except BROKEN as error:
        return f"the mutant is broken: {error!r}"
    return f"the mutant is broken: {errors[0]}" if errors else verdict


def _verdict(test: Callable[..., None]) -> str:
    for arguments in _parameters(test):
        try:
            test(**arguments)
        except BROKEN:
            raise
        except (Exception, pytest.fail.Exception):
            return CAUGHT
    return "the test still passes"


def _parameters(test: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """Every combination that pytest would make of its parametrize marks."""
    axes: list[list[dict[str, Any]]] = []
    for mark in getattr(test, "pytestmark", []):
        names, rows = mark.args
        names = [names] if isinstance(names, str) else list(names)
        axes.append(
            [
                dict(zip(names, row.values if hasattr(row, "values") else [row], strict=True))
                for row in rows
            ]
        )
    for combination in itertools.product(*axes):
        yield {name: value for part in combination for name, value in part.items()}


def in_a_process_of_its_own(mutation: Mutation) -> str:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.write(write_end, try_out(mutation).encode()[:4000])
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        verdict = pipe.read().decode()
    os.waitpid(child, 0)
    return verdict or f"no verdict within {SECONDS} s"


def main() -> None:
    for mutation in MUTATIONS:
        verdict = in_a_process_of_its_own(mutation)
        print(orjson.dumps([mutation.test, mutation.module, verdict]).decode(), flush=True)


if __name__ == "__main__":
    main()
