"""The system as its users and its auditors see it: HTTP, the PTU's books, Cosmos DB."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from azure.cosmos.aio import CosmosClient
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient

from local.system import LocalSystem
from ptu_optimizer.requests.ids import slice_of_request
from ptu_optimizer.requests.ledger.slots import SlotKind, is_slot
from tests.support.polling import eventually

FINAL = frozenset({"succeeded", "failed", "expired", "cancelled"})
READERS = 8


def chat(text: str = "How much is two times three?", **more: Any) -> dict[str, Any]:
    """A chat-completions body."""
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 20, **more}


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def error(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        assert set(self.body) == {"error"}, self.body
        assert {"message", "type", "param", "code"} <= set(self.body["error"])
        return dict(self.body["error"])


class App:
    """The app over HTTP, with its function key unless a call says otherwise."""

    def __init__(self, *, system: LocalSystem, session: aiohttp.ClientSession) -> None:
        self._system = system
        self._session = session

    async def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = "",
        headers: Mapping[str, str] | None = None,
        url: str | None = None,
        **body: Any,
    ) -> Answer:
        """`key`: "" is the function key, None is none at all."""
        sent = dict(headers or {})
        if key is not None:
            sent["x-functions-key"] = key or self._system.keys.function
        async with self._session.request(
            method, (url or self._system.url) + path, headers=sent, **body
        ) as answer:
            is_json = answer.content_type == "application/json"
            content = await (answer.json() if is_json else answer.text())
            return Answer(answer.status, content, dict(answer.headers))

    async def post(self, items: Any, **options: Any) -> Answer:
        """`POST /producer`."""
        return await self.call("POST", "/producer", json=items, **options)

    async def submit(self, *items: dict[str, Any], **options: Any) -> list[str]:
        """The ids of items that must be accepted."""
        answer = await self.post(list(items), **options)
        assert answer.status == 202, answer
        return list(answer.body["request_ids"])

    async def submit_one(self, item: dict[str, Any], **options: Any) -> str:
        (request_id,) = await self.submit(item, **options)
        return request_id

    async def show(self, request_id: str) -> dict[str, Any]:
        """`GET /response/{id}`, which must find it."""
        answer = await self.call("GET", f"/response/{request_id}")
        assert answer.status == 200, answer
        return dict(answer.body)

    async def cancel(self, request_id: str) -> Answer:
        return await self.call("POST", f"/requests/{request_id}/cancel")

    async def in_state(self, request_id: str, *states: str) -> dict[str, Any]:
        """Wait until a request is in one of these states; what is away for a while is waited for"""

        async def look() -> dict[str, Any] | None:
            try:
                answer = await self.call("GET", f"/response/{request_id}")
            except aiohttp.ClientError:
                return None
            assert answer.status in (200, 502, 503), answer
            found = answer.status == 200 and answer.body["state"] in states
            return dict(answer.body) if found else None

        return await eventually(look, f"{request_id} to be {' or '.join(states)}")

    async def ended(self, request_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Wait for the outcomes of all, in their order."""
        places = asyncio.Semaphore(READERS)

        async def one(request_id: str) -> dict[str, Any]:
            async with places:
                return await self.in_state(request_id, *FINAL)

        return await asyncio.gather(*map(one, request_ids))


class Ptu:
    """The simulator's control API: its counters are the truth."""

    def __init__(self, *, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def counters(self, deployment: str | None = None) -> dict[str, Any]:
        counters = await self._call("GET", "counters")
        found = counters["total"] if deployment is None else counters["deployments"][deployment]
        return dict(found)

    async def served(self, deployment: str | None = None) -> int:
        return int((await self.counters(deployment))["served"])

    async def repeated(self) -> dict[str, int]:
        """How often a request id was served that was served more than once."""
        return dict(await self._call("GET", "repeated"))

    async def fault(self, **fault: Any) -> None:
        await self._call("POST", "faults", json=fault)

    async def no_faults(self) -> None:
        await self._call("DELETE", "faults")

    async def seconds_per_call(self, deployment: str, seconds: float) -> None:
        """How long each later call to a deployment takes."""
        latency = {"first_token_seconds": seconds}
        await self._call("POST", "config", json={"deployment": deployment, "latency": latency})

    async def resize(self, deployment: str, ptus: float) -> None:
        await self._call("POST", "config", json={"deployment": deployment, "ptus": ptus})

    async def ask(self, deployment: str, body: dict[str, Any]) -> dict[str, Any]:
        """An interactive call, past the queue."""
        url = f"{self._url}/openai/deployments/{deployment}/chat/completions"
        async with self._session.post(
            f"{url}?api-version=2024-10-21", json=body, headers={"api-key": "local"}
        ) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def _call(self, method: str, path: str, **body: Any) -> Any:
        async with self._session.request(method, f"{self._url}/_ptu/{path}", **body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


class Store:
    """Cosmos DB behind the app's back."""

    def __init__(self, *, system: LocalSystem, session: aiohttp.ClientSession) -> None:
        self._connection = system.settings["COSMOS"]
        self._url = f"http://127.0.0.1:{system.options.ports.cosmos}"
        self._session = session

    async def counters(self, container: str) -> dict[str, int]:
        """What the server has been asked to do with a container."""
        async with self._session.get(f"{self._url}/_local/counters") as answer:
            counters = await answer.json()
        return dict(counters["containers"].get(f"ptu/{container}", {}))

    async def records(self, container: str, partition: str) -> list[dict[str, Any]]:
        async with CosmosClient.from_connection_string(self._connection) as client:
            proxy = client.get_database_client("ptu").get_container_client(container)
            query = proxy.query_items("SELECT * FROM c", partition_key=partition)
            return [dict(item) async for item in query]

    async def outcomes(self, request_ids: Sequence[str]) -> dict[str, int]:
        """How many outcomes the ledger holds of each request."""
        found = dict.fromkeys(request_ids, 0)
        for partition in {slice_of_request(request_id) for request_id in request_ids}:
            for record in await self.records("requests", partition):
                if is_slot(record) and SlotKind(record["kind"]).is_outcome:
                    found[record["request_id"]] += 1
        return found


async def send_raw(system: LocalSystem, hub: str, *payloads: bytes) -> None:
    """Publish events behind the app's back, in one batch."""
    producer = EventHubProducerClient.from_connection_string(
        system.settings["EVENT_HUBS"], eventhub_name=hub
    )
    async with producer:
        await producer.send_batch([EventData(payload) for payload in payloads])
