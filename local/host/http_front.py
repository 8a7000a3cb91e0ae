"""HTTP triggers: the ASGI app that uvicorn serves. Route, key, worker, answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from local.host.admin import Admin
from local.host.bindings import FunctionDefinition, HttpTrigger
from local.host.errors import ForwardError
from local.host.invoker import Invoker, Worker
from local.host.keys import KEY_HEADER, KEY_PARAMETER, Keys
from local.host.protocol import CALL_HEADER, INVOCATION_HEADER
from local.host.proxy import CALLER_GONE, Exchange, Receive, Send, respond
from local.host.routes import RouteTable

log = logging.getLogger("host.http")


class HttpFront:
    """Answers every HTTP request of the host."""

    def __init__(
        self,
        *,
        functions: Mapping[str, FunctionDefinition],
        routes: RouteTable,
        keys: Keys,
        invoker: Invoker,
        admin: Admin,
        body_limit: int,
    ) -> None:
        self._functions = functions
        self._routes = routes
        self._keys = keys
        self._invoker = invoker
        self._admin = admin
        self._body_limit = body_limit
        self._invocations: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One ASGI request."""
        path = scope["raw_path"].decode("latin-1").partition("?")[0]
        key = _key(scope)
        if path.startswith("/admin/"):
            await self._admin.answer(scope, path, key, send)
            return
        found = self._routes.find(scope["method"], path)
        if found is None:
            await respond(send, 404)
            return
        name, parameters = found
        function = self._functions[name]
        trigger = function.trigger
        if not isinstance(trigger, HttpTrigger) or not self._keys.allows(
            level=trigger.auth_level, function=name, key=key
        ):
            await respond(send, 401)
            return
        exchange = Exchange(scope=scope, receive=receive, send=send, body_limit=self._body_limit)
        await self._invoke(function, parameters, exchange, send)

    async def _invoke(
        self,
        function: FunctionDefinition,
        parameters: dict[str, str],
        exchange: Exchange,
        send: Send,
    ) -> None:
        """Forward, and return when the response is out, though outputs may still be written."""
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def forward(worker: Worker, invocation_id: str) -> None:
            call = json.dumps({"function": function.name, "params": parameters})
            try:
                await exchange.run(
                    worker.http, {INVOCATION_HEADER: invocation_id, CALL_HEADER: call}
                )
            except Exception as error:
                answered.set_exception(error)
                if not exchange.sent:
                    raise
            else:
                answered.set_result(None)

        async def invocation() -> None:
            outcome = await self._invoker.run_http(function, forward)
            if not exchange.begun:
                answered.set_exception(ForwardError(503, outcome.error))

        # The rest of the invocation (its result, its outputs) outlives this request.
        task = asyncio.create_task(invocation())
        self._invocations.add(task)
        task.add_done_callback(self._invocations.discard)
        try:
            await answered
        except ForwardError as error:
            if error.status == CALLER_GONE:
                log.info("caller hung up", extra={"function": function.name})
            elif exchange.answering:
                raise  # uvicorn cuts the connection, so the caller sees a broken answer
            else:
                await respond(send, error.status, str(error).encode())


def _key(scope: Mapping[str, Any]) -> str | None:
    """The access key of a request; the header takes precedence."""
    for name, value in scope["headers"]:
        if name == KEY_HEADER:
            return str(value.decode("latin-1"))
    if KEY_PARAMETER.encode() + b"=" not in scope["query_string"]:
        return None
    query = parse_qs(scope["query_string"].decode("latin-1"))
    found: list[str] = next(
        (values for name, values in query.items() if name.lower() == KEY_PARAMETER), []
    )
    return found[0] if found else None
