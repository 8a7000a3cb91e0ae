"""HTTP triggers: the ASGI app that uvicorn serves. Route, key, worker, answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

from local.host.admin import Admin
from local.host.bindings import FunctionDefinition, HttpTrigger
from local.host.errors import WorkerLostError
from local.host.invoker import Invoker, Worker
from local.host.keys import KEY_HEADER, KEY_PARAMETER, Keys
from local.host.routes import RouteTable
from local.host.worker_http import ClientGoneError, Receive, Send, WorkerHttp, respond

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
    ) -> None:
        self._functions = functions
        self._routes = routes
        self._keys = keys
        self._invoker = invoker
        self._admin = admin
        self._workers: WeakKeyDictionary[Worker, WorkerHttp] = WeakKeyDictionary()
        self._results: set[asyncio.Task[Any]] = set()

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
        await self._invoke(function, parameters, scope, receive, send)

    def close(self) -> None:
        """Close idle connections to workers."""
        for channel in self._workers.values():
            channel.close()

    async def _invoke(
        self,
        function: FunctionDefinition,
        parameters: dict[str, str],
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
    ) -> None:
        """Forward, and return when the response is out, though outputs may still be written."""
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        forwarded = started = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        async def forward(worker: Worker, invocation_id: str) -> None:
            nonlocal forwarded
            channel = self._channel(worker)
            connection = await channel.connect()
            forwarded = True
            header = {
                "id": invocation_id,
                "function": function.name,
                "params": parameters,
                "scope": _wire_scope(scope),
            }
            try:
                await channel.forward(connection, header, receive, sending)
            except ClientGoneError:
                log.info("caller hung up", extra={"invocation": invocation_id})
            except WorkerLostError as error:
                answered.set_exception(error)
                return
            answered.set_result(None)

        async def whole() -> None:
            outcome = await self._invoker.run_http(function, forward)
            if not forwarded:
                answered.set_exception(WorkerLostError(outcome.error))

        # The rest of the invocation (its result, its outputs) outlives this request.
        task = asyncio.create_task(whole())
        self._results.add(task)
        task.add_done_callback(self._results.discard)
        try:
            await answered
        except WorkerLostError as error:
            if started:
                raise  # uvicorn cuts the connection, so the caller sees a broken answer
            await respond(send, 502 if forwarded else 503, str(error).encode())

    def _channel(self, worker: Worker) -> WorkerHttp:
        channel = self._workers.get(worker)
        if channel is None:
            channel = self._workers[worker] = WorkerHttp(worker.http_path)
        return channel


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


def _wire_scope(scope: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "http_version": scope["http_version"],
        "method": scope["method"],
        "scheme": scope["scheme"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode("latin-1"),
        "query_string": scope["query_string"].decode("latin-1"),
        "headers": [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ],
        "client": scope.get("client"),
        "server": scope.get("server"),
    }
