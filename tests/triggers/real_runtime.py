"""Runs the real app in azure-functions-runtime, the library of Azure's Python worker, and prints
what came of it as JSON. A program of its own, since the library keeps one app a process.

Stands in for the host: it speaks to the library as the worker's gRPC loop does.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.triggers.spoiled import SPOILED

runtime: Any = importlib.import_module("azure_functions_runtime.handle_event")

ROOT = Path(__file__).resolve().parents[2]
GARBAGE = '{"not an event'


class Message:
    """Stands in for the runtime's protobuf messages, which only carry values here."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class StatusResult(Message):
    Success, Failure = "success", "failure"


class BindingInfo(Message):
    out, inout, undefined = 1, 2, 0


class Messages:
    """The module of protobuf messages: every other one is a plain carrier."""

    StatusResult = StatusResult
    BindingInfo = BindingInfo

    def __getattr__(self, name: str) -> type[Message]:
        return type(name, (Message,), {})


class Typed(Message):
    """A TypedData: one value under the name of its type."""

    def WhichOneof(self, _: str) -> str:
        return str(next(iter(self.__dict__)))


def request(**fields: Any) -> Any:
    return Message(
        properties={"host": "127.0.0.1", "protos": Messages()},
        request=SimpleNamespace(**fields),
    )


def invocation(function_id: str, name: str, value: Typed, **metadata: Typed) -> Any:
    return request(
        invocation_request=Message(
            invocation_id=f"invocation of {name}",
            function_id=function_id,
            input_data=[Input(name=name, data=value)],
            trigger_metadata=metadata,
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
    )


class Input(Message):
    """A ParameterBinding that carries data."""

    def WhichOneof(self, _: str) -> str:
        return "data"


async def indexed() -> list[Any]:
    """What the worker tells the host of the app's functions. Raises RuntimeError."""
    listed = await runtime.functions_metadata_request(request())
    if listed.result.status != StatusResult.Success:
        raise RuntimeError(listed.result.exception)
    return list(listed.function_metadata_results)


async def start() -> Any:
    """Let the library load the app, as the worker does at its start. Raises RuntimeError."""
    started = await runtime.worker_init_request(
        request(
            worker_init_request=Message(capabilities={}, function_app_directory=str(ROOT)),
        )
    )
    if started.result.status != StatusResult.Success:
        raise RuntimeError(started.result.exception)
    return started


async def names() -> list[str]:
    await start()
    return sorted(one.name for one in await indexed())


def spoiled() -> dict[str, Any]:
    """The names of the functions with each environment of SPOILED. A process for each, as the
    library keeps one app; forked, since loading the library takes a second."""
    importlib.import_module(
        "ptu_optimizer.composition.application"
    )  # once, for all that are forked
    pipes: dict[str, tuple[int, int]] = {}
    for case in SPOILED:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.environ.update(case.values[0])
            answer = json.dumps(asyncio.run(names()))
            os.write(writing, answer.encode())
            os._exit(0)
        os.close(writing)
        pipes[case.id] = child, reading
    found: dict[str, Any] = {}
    for name, (child, reading) in pipes.items():
        with os.fdopen(reading) as pipe:
            found[name] = json.loads(pipe.read() or "null")
        os.waitpid(child, 0)
    return found


async def main() -> dict[str, Any]:
    started = await start()
    functions = await indexed()
    ids = {one.name: one.function_id for one in functions}
    return {
        "capabilities": sorted(started.capabilities),
        "functions": {
            one.name: {
                "bindings": [json.loads(raw) for raw in one.raw_bindings],
                "retried": one.retry_options is not None,
            }
            for one in functions
        },
        "health": await call_health(ids["health"], started.capabilities["HttpUri"]),
        "dispatch": await dispatch_garbage(ids["dispatch_requests"]),
    }


async def call_health(function_id: str, url: str) -> Any:
    """As the host proxies an HTTP call: to the worker's own server, and an invocation beside it."""
    body = Typed(bytes=b"")
    empty = Message(method="GET", url="/health", headers={}, params={}, query={}, body=body)
    call = invocation(function_id, "req", Typed(http=empty))
    headers = {"x-ms-invocation-id": call.request.invocation_request.invocation_id}

    def get() -> Any:
        asked = urllib.request.Request(f"{url}/health", headers=headers)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.loads(answer.read())

    answer, result = await asyncio.gather(asyncio.to_thread(get), runtime.invocation_request(call))
    if result.result.status != StatusResult.Success:
        raise RuntimeError(result.result.exception)
    return answer


async def dispatch_garbage(function_id: str) -> dict[str, Any]:
    """A batch whose one event is none: what the function hands to its output bindings."""
    properties = [{"SequenceNumber": 7, "EnqueuedTimeUtc": "2026-11-21T08:00:00Z"}]
    result = await runtime.invocation_request(
        invocation(
            function_id,
            "events",
            Typed(collection_string=Message(string=[GARBAGE])),
            SystemPropertiesArray=Typed(json=json.dumps(properties)),
            PropertiesArray=Typed(json="[{}]"),
            PartitionContext=Typed(json=json.dumps({"PartitionId": "3"})),
        )
    )
    if result.result.status != StatusResult.Success:
        raise RuntimeError(result.result.exception)
    return {each.name: json.loads(each.data.json) for each in result.output_data}


if __name__ == "__main__":
    # the library prints to stdout as well: ours is the last line
    print("\n" + json.dumps(spoiled() if "--spoiled" in sys.argv else asyncio.run(main())))
