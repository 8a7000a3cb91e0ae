"""What became of requests, as the ledger in Cosmos DB has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from azure.cosmos.aio import CosmosClient

from local.system import LocalSystem
from ptu_optimizer.requests.ids import slice_of_request
from ptu_optimizer.requests.ledger.slots import SlotKind, is_slot


@dataclass(frozen=True)
class Outcomes:
    """How many requests have which outcome, and how many have none or more than one."""

    kinds: Counter[str] = field(default_factory=Counter)
    without: int = 0
    repeated: int = 0

    @property
    def succeeded(self) -> int:
        return self.kinds[SlotKind.SUCCEEDED]


async def read_outcomes(system: LocalSystem, request_ids: Sequence[str]) -> Outcomes:
    """One query a slice, as the sweep does it."""
    found: dict[str, list[str]] = {request_id: [] for request_id in request_ids}
    async with CosmosClient.from_connection_string(system.settings["COSMOS"]) as client:
        container = client.get_database_client(
            system.settings["COSMOS_DATABASE"]
        ).get_container_client("requests")
        for partition in sorted({slice_of_request(one) for one in request_ids}):
            async for record in container.query_items(
                "SELECT c.id, c.type, c.request_id, c.n, c.kind FROM c",
                partition_key=partition,
                max_item_count=1_000,
            ):
                if is_slot(record) and SlotKind(record["kind"]).is_outcome:
                    found[record["request_id"]].append(record["kind"])
    return Outcomes(
        kinds=Counter(kind for kinds in found.values() for kind in kinds),
        without=sum(not kinds for kinds in found.values()),
        repeated=sum(len(kinds) > 1 for kinds in found.values()),
    )
