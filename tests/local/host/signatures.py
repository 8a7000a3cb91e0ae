"""Functions that the real worker accepts or refuses when it indexes an app.

One table for two tests: ours on every Python version, and a comparison with the library of
Azure's Python 3.13 worker where that is installed.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request, StreamingResponse

Decorate = Callable[[func.FunctionApp, Callable[..., Any]], Any]


@dataclass(frozen=True)
class Case:
    """A function, its decorators, and part of the refusal, `None` where it is accepted."""

    name: str
    code: Callable[..., Any]
    decorate: Decorate
    refusal: str | None

    def build(self) -> Any:
        """The function as azure-functions registers it."""
        app = func.FunctionApp()
        self.decorate(app, self.code)
        return app.get_functions()[0]


def route(app: func.FunctionApp, code: Callable[..., Any]) -> Any:
    return app.route(route="r")(code)


def timer(app: func.FunctionApp, code: Callable[..., Any]) -> Any:
    return app.timer_trigger(arg_name="timer", schedule="* * * * * *")(code)


def hub(app: func.FunctionApp, code: Callable[..., Any]) -> Any:
    return app.event_hub_message_trigger(
        arg_name="events", event_hub_name="h", connection="C", cardinality="many"
    )(code)


def hub_and_documents(app: func.FunctionApp, code: Callable[..., Any]) -> Any:
    with_output = app.cosmos_db_output(
        arg_name="documents", connection="C", database_name="d", container_name="c"
    )(code)
    return hub(app, with_output)


async def request_and_response(req: Request) -> JSONResponse: ...
async def request_and_stream(req: Request) -> StreamingResponse: ...
async def request_without_annotations(req): ...  # type: ignore[no-untyped-def]
async def returns_a_string(req: Request) -> str:
    return ""


async def returns_a_union(req: Request) -> JSONResponse | None: ...
async def classic_request(req: func.HttpRequest) -> JSONResponse: ...
async def classic_response(req: Request) -> func.HttpResponse:
    return func.HttpResponse()


async def unknown_parameter(req: Request, other: str) -> JSONResponse: ...
async def context_of_the_host(req: Request, context: func.Context) -> JSONResponse: ...
async def context_of_another_type(req: Request, context: str) -> JSONResponse: ...
async def without_its_parameter() -> None: ...
async def a_timer(timer: func.TimerRequest) -> None: ...
async def a_timer_as_int(timer: int) -> None: ...
async def a_timer_as_out(timer: func.Out[str]) -> None: ...
async def many(events: typing.List[func.EventHubEvent]) -> None: ...  # noqa: UP006
async def many_as_builtin_list(events: list[func.EventHubEvent]) -> None: ...
async def many_as_sequence(events: typing.Sequence[func.EventHubEvent]) -> None: ...
async def many_of_strings(events: typing.List[str]) -> None: ...  # noqa: UP006
async def many_or_none(events: typing.List[func.EventHubEvent] | None) -> None: ...  # noqa: UP006
async def one_event(events: func.EventHubEvent) -> None: ...
async def one_event_as_text(events: str) -> None: ...


async def documents(
    events: typing.List[func.EventHubEvent],  # noqa: UP006
    documents: func.Out[func.DocumentList],
) -> None: ...
async def one_document(
    events: typing.List[func.EventHubEvent],  # noqa: UP006
    documents: func.Out[func.Document],
) -> None: ...
async def documents_without_out(
    events: typing.List[func.EventHubEvent],  # noqa: UP006
    documents: func.DocumentList,
) -> None: ...
async def documents_of_dicts(
    events: typing.List[func.EventHubEvent],  # noqa: UP006
    documents: func.Out[dict],  # type: ignore[type-arg]
) -> None: ...
async def documents_as_text(
    events: typing.List[func.EventHubEvent],  # noqa: UP006
    documents: func.Out[str],
) -> None: ...


CASES = [
    Case("FastAPI types", request_and_response, route, None),
    Case("a streaming response", request_and_stream, route, None),
    Case("no annotations", request_without_annotations, route, None),
    Case("a plain string", returns_a_string, route, None),
    Case("a union as return type", returns_a_union, route, "non-type return annotation"),
    Case("classic request", classic_request, route, "does not match"),
    Case("classic response", classic_response, route, "does not match"),
    Case("a parameter without binding", unknown_parameter, route, "declared in Python but not in"),
    Case("context", context_of_the_host, route, None),
    Case("context of another type", context_of_another_type, route, "context"),
    Case("a binding without parameter", without_its_parameter, timer, "not present in Python"),
    Case("a timer", a_timer, timer, None),
    Case("a timer as int", a_timer_as_int, timer, "does not match"),
    Case("a timer as Out", a_timer_as_out, timer, 'declared to have the "in" direction'),
    Case("typing.List of events", many, hub, None),
    Case("list of events", many_as_builtin_list, hub, "invalid non-type annotation"),
    Case("typing.Sequence of events", many_as_sequence, hub, None),
    Case("typing.List of strings", many_of_strings, hub, "does not match"),
    Case("a union of events", many_or_none, hub, "invalid non-type annotation"),
    Case("one event", one_event, hub, None),
    Case("an event as text", one_event_as_text, hub, None),
    Case("documents", documents, hub_and_documents, None),
    Case("one document", one_document, hub_and_documents, None),
    Case("documents without Out", documents_without_out, hub_and_documents, "direction"),
    Case("documents of dicts", documents_of_dicts, hub_and_documents, "does not match"),
    Case("documents as text", documents_as_text, hub_and_documents, None),
]
