"""Which Python annotations a binding accepts: the checks of the real worker.

Follows `functions.Registry` of azure-functions-runtime 1.3.0 rule by rule, because what it refuses
keeps the whole app from starting in Azure. `list[func.EventHubEvent]` is the best known: only
`typing.List[...]` is a "generic type" to it.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from azure.functions import meta
from azure.functions._thirdparty import typing_inspect as _typing_inspect

# azure-functions leaves these functions untyped.
_binding_registry: Callable[[], Any] = meta.get_binding_registry
typing_inspect: Any = _typing_inspect

OUT = 1
"""`BindingDirection.OUT.value`."""


class FunctionLoadError(Exception):
    """The real worker would refuse this function."""

    def __init__(self, function: str, reason: str) -> None:
        super().__init__(f"cannot load the {function} function: {reason}")


@dataclass(frozen=True)
class Parameter:
    """How one bound parameter is decoded or encoded."""

    binding_type: str
    pytype: Any


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A function's parameters, as its bindings and annotations agree on them."""

    inputs: Mapping[str, Parameter]
    outputs: Mapping[str, Parameter]
    takes_context: bool
    has_return: bool


def http_types() -> Any | None:
    """The base of the HTTP extension that the app imported, or `None` with classic types."""
    base = sys.modules.get("azurefunctions.extensions.base")
    if base is None or not base.HttpV2FeatureChecker.http_v2_enabled():
        return None
    return base


def converter(binding_type: str) -> Any | None:
    """azure-functions' converter for a binding type; `None` is the generic binding."""
    return _binding_registry().get(binding_type)


def check_signature(
    function: str, code: Callable[..., Any], bindings: typing.Sequence[Any]
) -> Signature:
    """Match bindings with parameters; raises `FunctionLoadError` where the worker would."""
    parameters = dict(inspect.signature(code).parameters)
    annotations = typing.get_type_hints(code)
    bound = {binding.name: binding for binding in bindings if binding.name != "$return"}
    returns = [binding for binding in bindings if binding.name == "$return"]
    for binding in returns:
        if binding.direction != OUT:
            raise FunctionLoadError(function, '"$return" binding must have direction set to "out"')
    takes_context = "context" in parameters and "context" not in bound
    if takes_context:
        del parameters["context"]
        _check_context(function, annotations)
    _check_names(function, set(parameters), set(bound))
    inputs: dict[str, Parameter] = {}
    outputs: dict[str, Parameter] = {}
    for name in parameters:
        parameter = _check_parameter(function, name, bound[name], annotations)
        (outputs if bound[name].direction == OUT else inputs)[name] = parameter
    if returns and "return" in annotations:
        _check_return(function, returns[0].type, annotations["return"])
    implicit = any(_implicit_output(binding.type) for binding in bound.values())
    return Signature(
        inputs=inputs,
        outputs=outputs,
        takes_context=takes_context,
        has_return=bool(returns) or implicit,
    )


def _implicit_output(binding_type: str) -> bool:
    found = converter(binding_type)
    if found is None:  # the generic binding; durable clients are not supported here
        return True
    return bool(getattr(found, "has_implicit_output", lambda: False)())


def _check_context(function: str, annotations: Mapping[str, Any]) -> None:
    annotation = annotations.get("context")
    if "context" not in annotations:
        return
    if not isinstance(annotation, type) or annotation.__name__ != "Context":
        raise FunctionLoadError(
            function,
            'the "context" parameter is expected to be of type azure.functions.Context, '
            f'got "{annotation!r}"',
        )


def _check_names(function: str, declared: set[str], bound: set[str]) -> None:
    if declared - bound:
        raise FunctionLoadError(
            function,
            "the following parameters are declared in Python but not in the function decorators: "
            f"{sorted(declared - bound)}",
        )
    if bound - declared:
        raise FunctionLoadError(
            function,
            "the following parameters are declared as bindings but are not present in Python: "
            f"{sorted(bound - declared)}",
        )


def _is_out(annotation: Any) -> bool:
    origin = typing_inspect.get_origin(annotation)
    if typing_inspect.is_generic_type(annotation) and origin is not None:
        annotation = origin
    return isinstance(annotation, type) and annotation.__name__ == "Out"


def _check_parameter(
    function: str, name: str, binding: Any, annotations: Mapping[str, Any]
) -> Parameter:
    is_output = binding.direction == OUT
    if name not in annotations:
        return Parameter(binding.type, None)
    annotation = annotations[name]
    pytype = annotation
    if _is_out(annotation):
        arguments = typing_inspect.get_args(annotation)
        if len(arguments) != 1:
            raise FunctionLoadError(
                function, f"binding {name} has invalid Out annotation {annotation!r}"
            )
        pytype = arguments[0]
    if not isinstance(pytype, type) and not typing_inspect.is_generic_type(pytype):
        raise FunctionLoadError(
            function, f"binding {name} has invalid non-type annotation {annotation!r}"
        )
    if is_output != _is_out(annotation):
        direction = "out" if is_output else "in"
        raise FunctionLoadError(
            function,
            f'binding {name} is declared to have the "{direction}" direction, but its annotation '
            f"in Python is {'not ' if is_output else ''}azure.functions.Out",
        )
    binding_type = binding.type
    if pytype in (str, bytes) and not _implicit_output(binding.type):
        binding_type = "generic"
    accepts = _accepts_output if is_output else _accepts_input
    if not accepts(binding_type, pytype):
        raise FunctionLoadError(
            function,
            f'type of {name} binding in the binding decorator "{binding.type}" does not match its '
            f'Python annotation "{getattr(pytype, "__name__", pytype)}"' + _hint(binding.type),
        )
    return Parameter(binding_type, pytype)


def _hint(binding_type: str) -> str:
    if binding_type in ("httpTrigger", "http") and http_types() is not None:
        return (
            "; the app imports the FastAPI types, and they cannot be mixed with func.HttpRequest "
            "and func.HttpResponse"
        )
    return ""


def _check_return(function: str, binding_type: str, annotation: Any) -> None:
    if _is_out(annotation):
        raise FunctionLoadError(function, "return annotation should not be azure.functions.Out")
    if not isinstance(annotation, type):
        raise FunctionLoadError(function, f"has invalid non-type return annotation {annotation!r}")
    if not _accepts_output(binding_type, annotation):
        raise FunctionLoadError(
            function,
            f'Python return annotation "{annotation.__name__}" does not match binding type '
            f'"{binding_type}"' + _hint(binding_type),
        )


def _accepts_input(binding_type: str, pytype: Any) -> bool:
    base = http_types()
    if binding_type == "httpTrigger" and base is not None:
        return bool(base.RequestTrackerMeta.check_type(pytype))
    found = converter(binding_type)
    if found is None:
        return isinstance(pytype, type) and issubclass(pytype, (str, bytes))
    return bool(found.check_input_type_annotation(pytype))


def _accepts_output(binding_type: str, pytype: Any) -> bool:
    base = http_types()
    if binding_type == "http" and base is not None:
        return bool(base.ResponseTrackerMeta.check_type(pytype))
    found = converter(binding_type)
    if found is None:
        return isinstance(pytype, type) and issubclass(pytype, (str, bytes, bytearray))
    return bool(found.check_output_type_annotation(pytype))
