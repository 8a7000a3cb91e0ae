"""Run one invocation: arguments, the function, its outputs, its result."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.host.logs import INVOCATION_ID
from local.host.protocol import Frame, split_body
from local.host.worker.annotations import http_types
from local.host.worker.context import THREAD_STORAGE, Context, Out, read_retry
from local.host.worker.converters import decode_trigger, encode_output
from local.host.worker.indexing import IndexedFunction

log = logging.getLogger("host.worker")

Report = Callable[[dict[str, Any]], Awaitable[None]]
"""Sends the header of a RESULT frame to the listener."""


class Invocations:
    """Runs functions: coroutines on the event loop, others in a pool of threads."""

    def __init__(self, functions: Mapping[str, IndexedFunction], *, report: Report) -> None:
        threads = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT")
        self._functions = functions
        self._report = report
        self._pool = ThreadPoolExecutor(int(threads) if threads else None, "function")

    async def run_triggered(self, frame: Frame) -> None:
        """An event or timer invocation; always ends in one RESULT."""
        header = frame.header
        function = self._functions[header["function"]]
        INVOCATION_ID.set(header["id"])
        try:
            argument = decode_trigger(
                function.trigger_type, header["data_type"], split_body(frame), header["metadata"]
            )
            outs = await self._run(function, header, {function.trigger_name: argument})
            result = _success(header["id"], _encode(function, outs))
        except Exception as error:
            result = _failure(header["id"], error)
        await self._report(result)

    async def run_http(self, header: Mapping[str, Any], request: Any) -> Any:
        """An HTTP invocation: returns what the function returned, before its outputs are sent.

        As in Azure the response does not wait for output bindings, and an output that cannot be
        encoded fails the invocation but not the response (docs/platform.md, "The Python worker").
        """
        function = self._functions[header["function"]]
        INVOCATION_ID.set(header["id"])
        synchronizer = http_types().RequestTrackerMeta.get_synchronizer()  # type: ignore[union-attr]
        synchronizer.sync_route_params(request, header["params"])
        try:
            response, outs = await self._call(function, header, {function.trigger_name: request})
        except Exception as error:
            await self._report(_failure(header["id"], error))
            raise
        try:
            result = _success(header["id"], _encode(function, outs))
        except Exception as error:
            result = _failure(header["id"], error)
        await self._report(result)
        return response

    async def _run(
        self, function: IndexedFunction, header: Mapping[str, Any], arguments: dict[str, Any]
    ) -> dict[str, Out]:
        _, outs = await self._call(function, header, arguments)
        return outs

    async def _call(
        self, function: IndexedFunction, header: Mapping[str, Any], arguments: dict[str, Any]
    ) -> tuple[Any, dict[str, Out]]:
        outs = {name: Out() for name in function.signature.outputs}
        arguments |= outs
        context = Context(
            function=function.name,
            directory=function.directory,
            invocation_id=header["id"],
            retry=read_retry(header.get("retry")),
        )
        if function.signature.takes_context:
            arguments["context"] = context
        if function.is_async:
            THREAD_STORAGE.invocation_id = header["id"]
            returned = await function.code(**arguments)
        else:
            call = functools.partial(_in_thread, function.code, header["id"], arguments)
            loop = asyncio.get_running_loop()
            returned = await loop.run_in_executor(self._pool, contextvars.copy_context().run, call)
        sys.stdout.flush()
        if returned is not None and not function.signature.has_return:
            raise RuntimeError(
                f"function {function.name!r} without a $return binding returned a non-None value"
            )
        return returned, outs


def _in_thread(code: Callable[..., Any], invocation_id: str, arguments: dict[str, Any]) -> Any:
    THREAD_STORAGE.invocation_id = invocation_id
    try:
        return code(**arguments)
    finally:
        THREAD_STORAGE.invocation_id = None


def _encode(function: IndexedFunction, outs: Mapping[str, Out]) -> list[dict[str, str]]:
    return [
        {"name": name, "json": encode_output(name, function.signature.outputs[name], value)}
        for name, out in outs.items()
        if (value := out.get()) is not None
    ]


def _success(invocation_id: str, outputs: list[dict[str, str]]) -> dict[str, Any]:
    return {"id": invocation_id, "ok": True, "outputs": outputs}


def _failure(invocation_id: str, error: Exception) -> dict[str, Any]:
    trace = "".join(traceback.format_exception(error))
    return {
        "id": invocation_id,
        "ok": False,
        "error": f"{type(error).__name__}: {error}",
        "traceback": trace,
    }
