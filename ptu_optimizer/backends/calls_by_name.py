"""Calls by the name of a backend: each goes to its resource, under its deployment's name there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import CallResult, ModelCaller

from .backend import Backend, Resource


class CallsByName:
    """Backends of one resource share its client."""

    def __init__(
        self, backends: Sequence[Backend], *, caller_of: Callable[[Resource], ModelCaller]
    ) -> None:
        """`caller_of` makes the client of a resource, whose deployments it calls by their names."""
        self._backends = {backend.name: backend for backend in backends}
        self._caller_of = caller_of
        self._callers: dict[Resource, ModelCaller] = {}

    async def complete(
        self, *, deployment: str, body: JsonObject, call_id: str, timeout_seconds: float
    ) -> CallResult:
        """`deployment` is the name of a backend."""
        backend = self._backends[deployment]
        caller = self._callers.get(backend.resource)
        if caller is None:
            caller = self._callers[backend.resource] = self._caller_of(backend.resource)
        return await caller.complete(
            deployment=backend.deployment,
            body=body,
            call_id=call_id,
            timeout_seconds=timeout_seconds,
        )
