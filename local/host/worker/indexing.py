"""Load `function_app.py` and index its functions, as the real worker does."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.host.worker.annotations import FunctionLoadError, Signature, check_signature, http_types

DEFAULT_SCRIPT = "function_app.py"
_SCRIPT_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_\-]*\.py")


@dataclass(frozen=True, kw_only=True)
class IndexedFunction:
    """A function that can be run, and what the listener is told about it."""

    name: str
    directory: str
    code: Callable[..., Any]
    is_async: bool
    signature: Signature
    trigger_name: str
    trigger_type: str
    bindings: list[dict[str, Any]]
    retry: dict[str, Any] | None

    def reported(self) -> dict[str, Any]:
        """What the listener needs: bindings as in function.json, and the retry policy."""
        return {"name": self.name, "bindings": self.bindings, "retry": self.retry}


def index_app(directory: Path) -> dict[str, IndexedFunction]:
    """Import the app in `directory` and index every function; errors keep the app from starting."""
    script = os.environ.get("PYTHON_SCRIPT_FILE_NAME") or DEFAULT_SCRIPT
    if not _SCRIPT_NAME.fullmatch(script):
        raise ValueError(f"PYTHON_SCRIPT_FILE_NAME: invalid file name {script!r}")
    if not (directory / script).exists():
        raise FileNotFoundError(f"{directory / script} does not exist (--app)")
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    module = importlib.import_module(Path(script).stem)
    # Once per app object: a second call finds every name taken (docs/platform.md, "The Python
    # worker").
    indexed = [_index(function, directory) for function in _app(module, script).get_functions()]
    return {function.name: function for function in indexed}


def _app(module: Any, script: str) -> Any:
    from azure.functions import FunctionRegister

    apps = [
        value
        for name in dir(module)
        if isinstance(value := getattr(module, name), FunctionRegister)
    ]
    if len(apps) > 1:
        raise ValueError(
            f"More than one {type(apps[0]).__name__} or other top level function app "
            "instances are defined."
        )
    if not apps:
        raise ValueError(f"Could not find top level function app instances in {script}.")
    return apps[0]


def _index(function: Any, directory: Path) -> IndexedFunction:
    name = function.get_function_name()
    code = function.get_user_function()
    trigger = function.get_trigger()
    signature = check_signature(name, code, function.get_bindings())
    if trigger.type == "httpTrigger" and http_types() is None:
        raise FunctionLoadError(
            name,
            "the local host serves the FastAPI request and response types only "
            "(azurefunctions-extensions-http-fastapi), not func.HttpRequest and func.HttpResponse",
        )
    return IndexedFunction(
        name=name,
        directory=str(directory),
        code=code,
        is_async=inspect.iscoroutinefunction(code),
        signature=signature,
        trigger_name=trigger.name,
        trigger_type=trigger.type,
        bindings=[json.loads(raw) for raw in function.get_raw_bindings()],
        retry=function.get_settings_dict("retry_policy"),
    )
