"""What really happened, from those who must know: the PTU's own books and the ledger in Cosmos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
from azure.cosmos.aio import CosmosClient

from local.ptu import PtuDeployment
from ptu_optimizer.requests.ids import slice_of_request
from ptu_optimizer.requests.ledger.slots import SlotKind, is_slot

_ARRIVED = ("served", "refused", "in_flight")


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
    interactive_arrived: int = 0
    """Those two, and what is in flight."""


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
            interactive_arrived=sum(interactive[name] for name in _ARRIVED),
        )

    async def another(self) -> PtuDeployment:
        """A second deployment of the same size: empty, and its clock stands at 0."""
        settings = (await self._get("config"))["deployments"][self._deployment]
        return PtuDeployment(
            ptus=settings["ptus"],
            input_tpm_per_ptu=settings["work_per_second"] * 60.0 / settings["ptus"],
            output_ratio=settings["output_ratio"],
            window_seconds=settings["full"] / settings["work_per_second"],
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


class LedgerTruth:
    """The slots of the demo's requests, read one by one from Cosmos DB."""

    def __init__(self, *, connection: str, database: str, request_ids: Iterable[str]) -> None:
        self._connection = connection
        self._database = database
        self._slices = sorted({slice_of_request(request_id) for request_id in request_ids})

    async def outcomes_by_request(self) -> Counter[str]:
        """How many outcomes the ledger holds of each request."""
        return Counter(
            record["request_id"]
            for record in await self._slots()
            if SlotKind(record["kind"]).is_outcome
        )

    async def attempts_under_way(self, workers: Iterable[int]) -> int:
        """Attempts of these processes that are the last slot of their request."""
        return attempts_under_way(await self._slots(), workers)

    async def _slots(self) -> list[dict[str, Any]]:
        slots: list[dict[str, Any]] = []
        async with CosmosClient.from_connection_string(self._connection) as client:
            container = client.get_database_client(self._database).get_container_client("requests")
            for partition in self._slices:
                query = "SELECT c.id, c.request_id, c.n, c.kind, c.worker FROM c"
                async for record in container.query_items(query, partition_key=partition):
                    if is_slot(record):
                        slots.append(dict(record))
        return slots


def attempts_under_way(slots: Iterable[dict[str, Any]], workers: Iterable[int]) -> int:
    """Of all slots: the requests whose last one is an attempt by one of these processes."""
    last: dict[str, dict[str, Any]] = {}
    for slot in slots:
        known = last.get(slot["request_id"])
        if known is None or slot["n"] > known["n"]:
            last[slot["request_id"]] = slot
    # a worker is named by its machine, its process and a random part
    marks = tuple(f"-{pid}-" for pid in workers)
    return sum(
        slot["kind"] == SlotKind.ATTEMPT and any(mark in slot["worker"] for mark in marks)
        for slot in last.values()
    )
