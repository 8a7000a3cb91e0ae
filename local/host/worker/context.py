"""What a function sees of its invocation: `func.Context`, and its outputs `func.Out`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func

THREAD_STORAGE = threading.local()
"""Shared by all contexts, as in the real worker; `invocation_id` is set per running thread."""


@dataclass(frozen=True)
class RpcException:
    """The failure of the try before, as `context.retry_context.rpc_exception`."""

    source: str
    stack_trace: str
    message: str


@dataclass(frozen=True)
class RetryContext:
    """Which retry this is: 0 on the first try."""

    retry_count: int
    max_retry_count: int
    rpc_exception: RpcException

    @property
    def exception(self) -> RpcException:
        """The name that azure-functions' interface gives it."""
        return self.rpc_exception


@dataclass(frozen=True)
class TraceContext:
    """W3C trace context; empty here, since the local host has no distributed tracing."""

    trace_parent: str = ""
    trace_state: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """No attributes."""
        return {}


class Context(func.Context):
    """One invocation, handed to functions that have a `context` parameter."""

    def __init__(
        self, *, function: str, directory: str, invocation_id: str, retry: RetryContext
    ) -> None:
        self._function = function
        self._directory = directory
        self._invocation_id = invocation_id
        self._retry = retry

    @property
    def invocation_id(self) -> str:
        """The id that the host's log lines carry too."""
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        """Storage of the running thread."""
        return THREAD_STORAGE

    @property
    def function_name(self) -> str:
        """The function's name."""
        return self._function

    @property
    def function_directory(self) -> str:
        """The folder of function_app.py."""
        return self._directory

    @property
    def trace_context(self) -> Any:
        """Always empty here."""
        return TraceContext()

    @property
    def retry_context(self) -> Any:
        """Which retry this is."""
        return self._retry


class Out(func.Out[Any]):
    """An output binding's value: what was set last, or nothing."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Replace the value."""
        self._value = val

    def get(self) -> Any:
        """The value set last."""
        return self._value


def read_retry(header: Mapping[str, Any] | None) -> RetryContext:
    """The retry context in an INVOKE frame's header; without a policy all zero, as in Azure."""
    retry = header or {}
    return RetryContext(
        retry_count=retry.get("count", 0),
        max_retry_count=retry.get("max", 0),
        rpc_exception=RpcException("", "", retry.get("exception", "")),
    )
