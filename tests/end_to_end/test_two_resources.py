"""Two Azure OpenAI resources that both have a deployment `gpt-4.1`: one app, two backends."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from local.ptu.config import PtuServerConfig
from local.ptu.server import PtuServer
from local.system.settings import REQUEST_ID_KEY
from ptu_optimizer.requests.envelope import first_event
from ptu_optimizer.requests.ids import IdMint
from ptu_optimizer.requests.item import Item
from tests.end_to_end.clients import chat
from tests.end_to_end.in_process import Bench, bench
from tests.support.cosmos_account import container

SECOND_KEY = "the key of the second resource"
AZURE_NAME = "gpt-4.1"


def deployments(second: PtuServer) -> str:
    """`west` is where the settings of a single resource point, `east` brings its own place."""
    common = {"model": "gpt-4.1", "deployment": AZURE_NAME}
    east = {
        "endpoint": second.url,
        "resource_id": "/subscriptions/S/resourceGroups/RG/providers/M.C/accounts/east",
        "monitor_endpoint": second.url,
        "api_key_setting": "EAST_KEY",
    }
    return json.dumps(
        [{"name": "west", "ptus": 50, **common}, {"name": "east", "ptus": 10, **common, **east}]
    )


def events(name: str, count: int) -> list[bytes]:
    now = time.time()
    group = IdMint(REQUEST_ID_KEY.encode()).mint(created_at=now, ends_at=now + 3_600, count=count)
    return [
        first_event(
            group.request_id(n),
            Item(body=chat(f"{name} {n}"), deployment=name, deadline=now + 600),
            inline=True,
        ).encode()
        for n in range(count)
    ]


async def of_capacity(system: Bench, name: str) -> list[dict[str, Any]]:
    async with container(system.cosmos, "capacity") as proxy:
        query = proxy.query_items("SELECT * FROM c", partition_key=name)
        return [dict(item) async for item in query]


def served(server: PtuServer) -> int:
    counters: Any = server.simulation.counters()["total"]
    return int(counters["served"])


async def test_they_stay_apart_in_calls_ledger_belief_and_view(storage: str) -> None:
    simulated = {"name": AZURE_NAME, "model": "gpt-4.1", "ptus": 50}
    config = PtuServerConfig.from_dict({"deployments": [simulated], "api_keys": [SECOND_KEY]})
    async with (
        PtuServer(config, port=0) as second,
        bench(
            storage, deployments=[simulated], DEPLOYMENTS=deployments(second), EAST_KEY=SECOND_KEY
        ) as system,
    ):
        worker = system.worker()
        batch = [*events("west", 2), *events("east", 3)]
        dispatching = asyncio.create_task(system.deliver(worker, batch))
        await dispatching
        await worker.dispatcher.leave()
        assert (served(system.ptu), served(second)) == (2, 3)
        ids = [json.loads(raw)["request_id"] for raw in batch]
        ended = [one for one in await system.records(ids) if one["kind"] == "succeeded"]
        assert sorted(one["deployment"] for one in ended) == ["east"] * 3 + ["west"] * 2
        for name, ptus in (("west", 50), ("east", 10)):
            learned = [one for one in await of_capacity(system, name) if one["type"] == "learned"]
            assert [one["learned_of"].rpartition("|")[2] for one in learned] == [str(ptus)]
            shown = await worker.capacity_view.one(name)
            assert (shown["deployment"], shown["ptus"]) == (name, ptus)
        assert [one["deployment"] for one in (await worker.capacity_view.all())["data"]] == [
            "west",
            "east",
        ]
