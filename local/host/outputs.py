"""Cosmos DB output bindings: upserts, one document after the other, after the function returned.

As the extension does: last write wins, no transaction over documents; the first failure fails
the invocation, and what was written before it stays (docs/platform.md, "The Functions host").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

import orjson
from azure.core.exceptions import AzureError

from local.host.bindings import CosmosOutput, FunctionDefinition
from local.host.connections import cosmos_client
from local.host.errors import HostError
from local.host.settings import AppSettings

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy, CosmosClient


class OutputError(HostError):
    """A document could not be written; the invocation fails though its function succeeded."""


class OutputWriter(Protocol):
    """Applies what a function set on its outputs."""

    async def apply(
        self, function: FunctionDefinition, values: Sequence[Mapping[str, str]]
    ) -> None:
        """Write `values` (`name` and `json`) in binding order; `OutputError` if one fails."""


class CosmosOutputs:
    """Writes the outputs of all functions; one client per connection."""

    def __init__(self, settings: AppSettings) -> None:
        self._settings = settings
        self._clients: dict[str, CosmosClient] = {}
        self._containers: dict[CosmosOutput, ContainerProxy] = {}
        self._stack = AsyncExitStack()

    def prepare(self, functions: Sequence[FunctionDefinition]) -> None:
        """Check every output's connection setting, so that a bad one stops the start."""
        for function in functions:
            for output in function.outputs:
                if output.connection not in self._clients:
                    self._clients[output.connection] = cosmos_client(output, self._settings)

    async def apply(
        self, function: FunctionDefinition, values: Sequence[Mapping[str, str]]
    ) -> None:
        """Write `values` in binding order; `OutputError` names the binding that failed."""
        by_name = {value["name"]: value["json"] for value in values}
        for output in function.outputs:
            text = by_name.get(output.name)
            if text is None:
                continue
            container = await self._container(output)
            for document in orjson.loads(text):
                try:
                    await container.upsert_item(document)
                except (AzureError, OSError) as error:
                    raise OutputError(
                        f"output binding {output.name!r} ({output.database}/{output.container}): "
                        f"{type(error).__name__}: {error}"
                    ) from error

    async def close(self) -> None:
        """Close the clients."""
        await self._stack.aclose()

    async def _container(self, output: CosmosOutput) -> ContainerProxy:
        found = self._containers.get(output)
        if found is None:
            client = self._clients[output.connection]
            await self._stack.enter_async_context(client)
            database = client.get_database_client(output.database)
            found = self._containers[output] = database.get_container_client(output.container)
        return found
