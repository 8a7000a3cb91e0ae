"""What really happened, from those who must know: the PTU's own books and the ledger in Cosmos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
from azure.cosmos.aio import CosmosClient

from ptu_optimizer.requests.ids import slice_of_request
from ptu_optimizer.requests.ledger import Kind, is_slot


@dataclass(frozen=True, kw_only=True)
class Books:
    """What the PTU has counted so far."""

    batch_served: int = 0
    """Calls of the queue that were served and billed, repeated ones included."""
    batch_refused: int = 0
    batch_ended: int = 0
    """Calls of the queue that ended in any way."""
    batch_in_flight: int = 0
    requests_served: int = 0
    """Requests of the queue that were served at least once."""
    surplus: int = 0
    """Calls served for requests that had been served before: paid for twice."""
    interactive_served: int = 0
    interactive_refused: int = 0


class Second(NamedTuple):
    """One second of the PTU: its level, and the load by whose work it was; 1.0 is 100 %."""

    at: float
    """The PTU's clock, Unix seconds."""
    level: float
    interactive: float
    batch: float
    batch_served: int


class PtuTruth:
    """The control API of `local.ptu`."""

    def __init__(self, *, session: aiohttp.ClientSession, url: str, deployment: str) -> None:
        self._session = session
        self._url = url
        self._deployment = deployment

    async def books(self) -> Books:
        answer = await self._get("counters")
        total = answer["total"]
        batch, interactive = total["traffic"]["batch"], total["traffic"]["interactive"]
        return Books(
            batch_served=batch["served"],
            batch_refused=batch["refused"],
            batch_ended=batch["served"] + batch["refused"] + batch["failed"],
            batch_in_flight=batch["in_flight"],
            requests_served=total["requests_served"],
            surplus=total["surplus"],
            interactive_served=interactive["served"],
            interactive_refused=interactive["refused"],
        )

    async def now(self) -> float:
        """The PTU's clock."""
        return float((await self._get("level"))["at"])

    async def seconds(self, *, since: float = 0.0) -> list[Second]:
        """Every second later than `since`."""
        answer = await self._get(f"history?since={since}")
        return [
            Second(
                at=sample["at"],
                level=sample["level"],
                interactive=sample["load_interactive"],
                batch=sample["load_batch"],
                batch_served=sample["served_batch"],
            )
            for sample in answer["deployments"][self._deployment]
        ]

    async def _get(self, path: str) -> Any:
        async with self._session.get(f"{self._url}/_ptu/{path}") as response:
            response.raise_for_status()
            return await response.json()


async def outcomes_by_request(
    *, connection: str, database: str, request_ids: Iterable[str]
) -> Counter[str]:
    """How many outcomes the ledger holds of each request, read slot by slot from Cosmos DB."""
    slices = {slice_of_request(request_id) for request_id in request_ids}
    outcomes: Counter[str] = Counter()
    async with CosmosClient.from_connection_string(connection) as client:
        container = client.get_database_client(database).get_container_client("requests")
        for partition in sorted(slices):
            query = "SELECT c.id, c.request_id, c.n, c.kind FROM c"
            async for record in container.query_items(query, partition_key=partition):
                if is_slot(record) and Kind(record["kind"]).is_outcome:
                    outcomes[record["request_id"]] += 1
    return outcomes
