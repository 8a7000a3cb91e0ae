"""The gauge's timer, from Azure Monitor's wire to the records of its output binding."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import azure.functions as func
import pytest

from local.ptu import PtuServer, PtuServerConfig
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.composition import application as composition

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, str] = {
    **json.loads((ROOT / "local.settings.json.example").read_text())["Values"],
    "REQUEST_ID_KEY": "a key of these tests",
}
MINUTE = 60.0


class Out(func.Out[func.DocumentList]):
    """An output binding as the worker hands it in."""

    def __init__(self) -> None:
        self._value: func.DocumentList | None = None

    def set(self, val: func.DocumentList) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(document) for document in self._value or []]


class Clock:
    """The deployment's, moved by hand. The app's is the real one, so this one starts three whole
    minutes ago: what happens here is over."""

    def __init__(self) -> None:
        self.time = (time.time() // MINUTE - 3) * MINUTE

    def __call__(self) -> float:
        return self.time


class Gauge:
    """The function of the timer, and the deployment that it looks at."""

    def __init__(self, server: PtuServer, clock: Clock, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.clock = clock
        self._session = session
        app = importlib.import_module("function_app").app
        functions = {each.get_function_name(): each for each in app.get_functions()}
        self._function = functions["gauge"].get_user_function()

    async def run(self) -> list[dict[str, Any]]:
        out = Out()
        await self._function(timer=None, minutes=out)
        return out.records

    async def call(self) -> None:
        path = "openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21"
        async with self._session.post(
            f"{self.server.url}/{path}",
            json={"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1},
            headers={"api-key": "local", "x-sim-prompt-tokens": "12496"},
        ) as response:
            assert response.status == 200


@pytest.fixture
async def gauge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gauge]:
    clock = Clock()
    config = PtuServerConfig.from_dict(
        {"deployments": [{"name": "gpt-4.1", "ptus": 50}], "metric_delay_seconds": 0}
    )
    async with (
        PtuServer(config, port=0, clock=clock) as server,
        aiohttp.ClientSession() as session,
    ):
        server.simulation.configure({"zero_latency": True}, now=clock())
        for name, value in {
            **SETTINGS,
            **server.identity_environment,
            "AZURE_MONITOR_ENDPOINT": server.url,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delitem(sys.modules, "function_app", raising=False)
        composition.application.cache_clear()
        yield Gauge(server, clock, session)
        composition.application.cache_clear()
        sys.modules.pop("function_app", None)


async def test_each_minute_is_written_once_as_a_record_of_its_own(gauge: Gauge) -> None:
    began = gauge.clock.time
    await gauge.call()
    gauge.clock.time += MINUTE
    await gauge.call()
    (record,) = await gauge.run()
    assert record["id"] == f"minute:{int(began + MINUTE)}"
    assert record["deployment"] == "gpt-4.1", "the partition key"
    assert (record["type"], record["ttl"]) == ("minute", 900)
    minute = Minute.from_record(record)
    assert (minute.accepted, minute.refused, minute.prompt_tokens) == (1, 0, 12_496)
    assert minute.utilization_max == pytest.approx(0.5)
    assert await gauge.run() == [], "it has been written"
    gauge.clock.time += MINUTE
    assert [record["ends_at"] for record in await gauge.run()] == [began + 2 * MINUTE]


async def test_a_point_that_comes_late_writes_its_minute_again(gauge: Gauge) -> None:
    await gauge.call()
    began = gauge.clock.time
    gauge.clock.time += MINUTE
    (first,) = await gauge.run()
    record = gauge.server.simulation.deployments["gpt-4.1"].minutes.at(began)
    record.requests[429, False] = 4
    (mended,) = await gauge.run()
    assert mended == {**first, "refused": 4}


async def test_without_a_point_nothing_is_written(gauge: Gauge) -> None:
    gauge.clock.time += MINUTE
    assert await gauge.run() == []


async def test_a_monitor_that_is_away_writes_nothing_and_says_so(
    gauge: Gauge, caplog: pytest.LogCaptureFixture
) -> None:
    await gauge.server.close()
    assert await gauge.run() == []
    assert "the metric cannot be read" in caplog.text
