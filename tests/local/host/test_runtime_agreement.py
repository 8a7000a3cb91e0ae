"""Ours against azure-functions-runtime, the library of Azure's Python 3.13 worker.

Collected only where that library is installed (conftest.py).
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.host.worker.annotations import check_signature
from local.host.worker.indexing import index_app
from tests.local.host.signatures import CASES, Case
from tests.local.host.support import APPS, ROOT

runtime_meta: Any = importlib.import_module("azure_functions_runtime.bindings.meta")
runtime_functions: Any = importlib.import_module("azure_functions_runtime.functions")
runtime_loader: Any = importlib.import_module("azure_functions_runtime.loader")


class Message:
    """Stands in for the runtime's protobuf messages, which only carry values here."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class BindingInfo(Message):
    """The one message with constants."""

    out, inout, undefined = 1, 2, 0


PROTOS = SimpleNamespace(
    BindingInfo=BindingInfo, RpcRetryOptions=Message, RpcFunctionMetadata=Message
)


@pytest.fixture(autouse=True)
def registry() -> None:
    runtime_meta.load_binding_registry()


@pytest.fixture
def no_app_imported() -> Iterator[None]:
    """Both libraries import a module of the same name; nothing of it may stay."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    forget_app()


def forget_app() -> None:
    sys.modules.pop("function_app", None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_accept_or_both_refuse(case: Case) -> None:
    ours, theirs = attempt(case, _ours), attempt(case, _theirs)
    assert isinstance(ours, Exception) == isinstance(theirs, Exception), (ours, theirs)
    if not isinstance(ours, Exception):
        assert ours == theirs


def attempt(case: Case, index: Callable[[Any], dict[str, Any]]) -> dict[str, Any] | Exception:
    """What indexing makes of a function: its parameters, or the refusal."""
    try:
        return index(case.build())
    except Exception as error:  # the runtime refuses some annotations with a bare TypeError
        return error


def _ours(function: Any) -> dict[str, Any]:
    checked = check_signature(
        function.get_function_name(), function.get_user_function(), function.get_bindings()
    )
    return {
        "inputs": {n: (p.binding_type, p.pytype) for n, p in checked.inputs.items()},
        "outputs": {n: (p.binding_type, p.pytype) for n, p in checked.outputs.items()},
        "context": checked.takes_context,
        "return": checked.has_return,
    }


def _theirs(function: Any) -> dict[str, Any]:
    info = runtime_functions.Registry().add_indexed_function(function, PROTOS)
    return {
        "inputs": {n: (p.binding_name, p.pytype) for n, p in info.input_types.items()},
        "outputs": {n: (p.binding_name, p.pytype) for n, p in info.output_types.items()},
        "context": info.requires_context,
        "return": info.has_return,
    }


@pytest.mark.usefixtures("no_app_imported")
@pytest.mark.parametrize("app", [APPS / "http", APPS / "events", ROOT], ids=lambda app: app.name)
def test_both_register_the_same_functions_with_the_same_bindings(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(app))
    example = json.loads((ROOT / "local.settings.json.example").read_text())
    for name, value in example["Values"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REQUEST_ID_KEY", "a key of these tests")
    forget_app()
    indexed = runtime_loader.index_function_app(str(app / "function_app.py"))
    metadata, _ = runtime_loader.process_indexed_function(
        PROTOS, runtime_functions.Registry(), indexed, str(app)
    )
    theirs = {
        one.name: ([json.loads(raw) for raw in one.raw_bindings], one.retry_options)
        for one in metadata
    }
    forget_app()
    ours = index_app(app)
    assert list(ours) == list(theirs)
    for name, function in ours.items():
        bindings, retry = theirs[name]
        assert function.bindings == bindings
        assert (function.retry is None) == (retry is None)
        if function.retry is not None:
            assert int(function.retry["max_retry_count"]) == retry.max_retry_count
            assert function.retry["strategy"] == retry.retry_strategy
