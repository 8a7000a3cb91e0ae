"""The metric reader, with the real SDK and identity against the simulated service."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from azure.core.credentials import AccessToken

from local.ptu import PtuServer, PtuServerConfig
from ptu_optimizer.adapters.azure_monitor import AzureMonitor, newest_points
from ptu_optimizer.adapters.identity import Identity
from ptu_optimizer.capacity.reading import Kind
from ptu_optimizer.errors import DependencyUnavailable

RESOURCE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local/providers/"
    "Microsoft.CognitiveServices/accounts/local"
)


class Clock:
    def __init__(self) -> None:
        # the SDK asks for the last ten minutes of real time
        self.now = (datetime.now(UTC).timestamp() // 60) * 60 - 240

    def __call__(self) -> float:
        return self.now


def monitor(server: PtuServer, *deployments: str) -> AzureMonitor:
    return AzureMonitor(
        endpoint=server.url,
        resource_id=RESOURCE,
        deployments=deployments,
        identity=Identity(client_id=None),
    )


async def test_the_newest_point_is_a_reading_at_its_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    began = clock.now
    config = PtuServerConfig.from_dict(
        {
            "deployments": [
                {"name": "busy", "model": "gpt-4.1", "ptus": 50},
                {"name": "idle", "model": "gpt-4.1", "ptus": 50},
            ],
            "metric_delay_seconds": 60,
        }
    )
    async with PtuServer(config, port=0, clock=clock) as server:
        for name, value in server.identity_environment.items():
            monkeypatch.setenv(name, value)
        async with aiohttp.ClientSession(headers={"api-key": "local"}) as session:
            url = f"{server.url}/openai/deployments/busy/chat/completions?api-version=2024-10-21"
            body = {"messages": [{"role": "user", "content": "hi " * 500}], "max_tokens": 100}
            async with session.post(url, json=body) as response:
                assert response.status == 200
        reader = monitor(server, "BUSY", "idle")
        assert await reader.utilization() == []
        clock.now += 121
        (reading,) = await reader.utilization()
        await reader.close()
    assert reading.deployment == "BUSY", "the name as the settings have it"
    assert reading.kind is Kind.UTILIZATION
    assert reading.observed_at == pytest.approx(began)
    assert 0 < reading.value < 1


async def test_a_monitor_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PtuServerConfig.from_dict({"deployments": [{"name": "p", "ptus": 50}]})
    async with PtuServer(config, port=0) as server:
        for name, value in server.identity_environment.items():
            monkeypatch.setenv(name, value)
    reader = monitor(server, "p")
    with pytest.raises(DependencyUnavailable):
        await reader.utilization()
    await reader.close()


async def test_a_monitor_that_never_answers_does_not_keep_the_timer() -> None:
    class WithToken(Identity):
        @property
        def credential(self) -> Any:
            return SimpleNamespace(get_token=self._token)

        async def _token(self, *scopes: str, **options: Any) -> AccessToken:
            return AccessToken("a token", 2**40)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        reader = AzureMonitor(
            endpoint=f"http://127.0.0.1:{port}",
            resource_id=RESOURCE,
            deployments=["p"],
            identity=WithToken(client_id=None),
            request_seconds=0.2,
        )
        with pytest.raises(DependencyUnavailable, match="TimeoutError"):
            await reader.utilization()
        await reader.close()


def answer(deployment: str, *averages: float | None) -> Any:
    """A result in the SDK's shape, one point a minute."""
    points = [
        SimpleNamespace(timestamp=datetime.fromtimestamp(60.0 * n, UTC), average=average)
        for n, average in enumerate(averages)
    ]
    series = SimpleNamespace(metadata_values={"ModelDeploymentName": deployment}, data=points)
    return SimpleNamespace(metrics=[SimpleNamespace(timeseries=[series])])


@pytest.mark.parametrize(
    ("averages", "expected"),
    [
        pytest.param((10.0, 20.0, None, None), (60.0, 0.2), id="the last minutes are null"),
        pytest.param((10.0, 0.0), (60.0, 0.0), id="a measured zero is a reading"),
        pytest.param((None, None), None, id="nothing is not zero"),
        pytest.param((), None, id="no points at all"),
        pytest.param((104.5,), (0.0, 1.045), id="over 100 %"),
        pytest.param((float("nan"),), None, id="not a number"),
        pytest.param((-1.0,), None, id="negative"),
    ],
)
def test_points_are_read_with_care(
    averages: tuple[float | None, ...], expected: tuple[float, float] | None
) -> None:
    readings = newest_points([answer("p", *averages)], deployments=["p"])
    found = [(r.observed_at, r.value) for r in readings]
    assert found == ([] if expected is None else [pytest.approx(expected)])


def test_other_deployments_of_the_resource_are_left_out() -> None:
    assert newest_points([answer("payg", 50.0)], deployments=["p"]) == []
