"""The worker's side of HTTP: the FastAPI extension's own web app, as the real worker serves it.

The worker serves it with uvicorn (`local.host.http_server`), and the listener forwards to it. Which
function a request is for comes with the request, in a header that the function does not see.
"""

from __future__ import annotations

import importlib
from typing import Any

import orjson

from local.host.http_server import AsgiApp
from local.host.protocol import CALL_HEADER, INVOCATION_HEADER
from local.host.worker.annotations import http_types
from local.host.worker.invocations import Invocations

_CALL = "local.host.call"


def http_app(invocations: Invocations) -> AsgiApp:
    """The ASGI app that runs the app's HTTP functions."""
    base = http_types()
    if base is None:
        raise RuntimeError("the app has no HTTP functions with FastAPI types")
    web_app = importlib.import_module(base.ModuleTrackerMeta.get_module()).WebApp()

    async def catch_all(request: Any) -> Any:
        header = request.scope[_CALL]
        answer = await invocations.run_http(header, request)
        if answer is None:  # the real worker takes it for an answer that never came
            raise ValueError(f"No http response found for invocation {header['id']}")
        return answer

    # FastAPI reads the annotation, which is known only now.
    catch_all.__annotations__ = {"request": base.RequestTrackerMeta.get_request_type()}
    web_app.route(catch_all)
    served: AsgiApp = web_app.get_app()

    async def with_call(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        call = orjson.loads(headers[CALL_HEADER.encode()])
        scope[_CALL] = {"id": headers[INVOCATION_HEADER.encode()].decode(), **call}
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != CALL_HEADER.encode()]
        await served(scope, receive, send)

    return with_call
