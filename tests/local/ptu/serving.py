"""What the contract tests of the simulated service share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from openai import AsyncAzureOpenAI

from local.ptu import PtuServer, PtuServerConfig

PTU = {"name": "ptu", "model": "gpt-4.1", "ptus": 50}
"""R = 50 · 3,000 / 60 = 2,500 work a second, full at 25,000 (W = 10 s), ratio 4."""

QUESTION: list[Any] = [{"role": "user", "content": "How many eggs are left?"}]

START = 1_800_000_000.0
"""A whole minute, in Unix seconds."""


class SteppedClock:
    """Unix seconds that pass only when a test says so."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds


class Control:
    """The simulator's own API, as a test calls it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def get(self, name: str) -> Any:
        async with self.session.get(f"{self.url}/_ptu/{name}") as response:
            assert response.status == 200
            return await response.json()

    async def post(self, name: str, values: dict[str, Any] | None = None) -> tuple[int, Any]:
        async with self.session.post(f"{self.url}/_ptu/{name}", json=values or {}) as response:
            return response.status, await response.json()

    async def total(self) -> dict[str, Any]:
        counters: dict[str, Any] = (await self.get("counters"))["total"]
        return counters


@asynccontextmanager
async def serving(
    *deployments: dict[str, Any],
    clock: Callable[[], float] | None = None,
    zero_latency: bool = True,
    **settings: Any,
) -> AsyncIterator[tuple[PtuServer, AsyncAzureOpenAI, Control]]:
    """A server on a free port, the real client for it, and its control API."""
    config = PtuServerConfig.from_dict({"deployments": list(deployments or [PTU]), **settings})
    async with PtuServer(config, port=0, clock=clock) as server:
        if zero_latency:
            server.simulation.configure({"zero_latency": True}, now=server.now())
        client = AsyncAzureOpenAI(
            azure_endpoint=server.url, api_key="local", api_version="2024-10-21", max_retries=0
        )
        async with client, aiohttp.ClientSession() as session:
            yield server, client, Control(server.url, session)


async def eventually(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Poll until ``condition`` holds; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.01)
