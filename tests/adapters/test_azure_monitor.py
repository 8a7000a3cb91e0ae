"""The metric reader, with the real SDK and identity over real sockets: against the simulated
service, and against stand-ins that refuse or garble what they are asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core.credentials import AccessToken

from local.ptu import PtuServer, PtuServerConfig
from ptu_optimizer.adapters.azure_monitor import AzureMonitor
from ptu_optimizer.adapters.identity import Identity
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.errors import DependencyUnavailable

RESOURCE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local/providers/"
    "Microsoft.CognitiveServices/accounts/local"
)
START = 1_800_000_000.0
"""A whole minute, in Unix seconds."""


class Clock:
    """Passes only when a test says so; the simulated service runs on it too."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> float:
        return self.time

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class WithToken(Identity):
    """Has a token without asking anybody."""

    @property
    def credential(self) -> Any:
        return SimpleNamespace(get_token=self._token)

    async def _token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("a token", 2**40)


def monitor(url: str, *deployments: str, **more: Any) -> AzureMonitor:
    given = {"identity": Identity(client_id=None), "clock": Clock(), **more}
    return AzureMonitor(endpoint=url, resource_id=RESOURCE, deployments=deployments, **given)


# --- the simulated service ------------------------------------------------------------------------

DEPLOYMENTS = [
    {"name": "busy", "model": "gpt-4.1", "ptus": 50, "spillover_to": "payg"},
    {"name": "idle", "model": "gpt-4.1", "ptus": 50},
    {"name": "payg", "model": "gpt-4.1"},
]
"""`busy` drains 2,500 a second and is full at 25,000."""


class Azure:
    """The simulated service, as a test uses it."""

    def __init__(self, server: PtuServer, clock: Clock, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.clock = clock
        self._session = session

    async def call(
        self, deployment: str = "busy", *, prompt: int, cached: int = 0, output: int = 1
    ) -> int:
        url = f"{self.server.url}/openai/deployments/{deployment}/chat/completions"
        async with self._session.post(
            f"{url}?api-version=2024-10-21",
            json={"messages": [{"role": "user", "content": "hi"}], "max_tokens": output},
            headers={
                "api-key": "local",
                "x-sim-prompt-tokens": str(prompt),
                "x-sim-cached-tokens": str(cached),
                "x-sim-output-tokens": str(output),
            },
        ) as response:
            return response.status

    def monitor(self, *deployments: str) -> AzureMonitor:
        return monitor(self.server.url, *deployments, clock=self.clock)


@pytest.fixture
async def azure(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Azure]:
    clock = Clock()
    config = PtuServerConfig.from_dict({"deployments": DEPLOYMENTS, "metric_delay_seconds": 90})
    async with (
        PtuServer(config, port=0, clock=clock) as server,
        aiohttp.ClientSession() as session,
    ):
        server.simulation.configure({"zero_latency": True}, now=clock.now())
        for name, value in server.identity_environment.items():
            monkeypatch.setenv(name, value)
        yield Azure(server, clock, session)


@asynccontextmanager
async def closing(reader: AzureMonitor) -> AsyncIterator[AzureMonitor]:
    try:
        yield reader
    finally:
        await reader.close()


async def test_a_minute_has_every_figure(azure: Azure) -> None:
    assert await azure.call(prompt=12_496, cached=0) == 200
    assert await azure.call(prompt=12_496 + 4_000, cached=4_000) == 200
    assert await azure.call(prompt=100) == 200, "full: served by pay-as-you-go"
    azure.clock.time += 180
    async with closing(azure.monitor("BUSY")) as reader:
        (minute,) = await reader.minutes()
    assert minute.deployment == "BUSY", "the name as the settings have it"
    assert minute.ends_at == START + 60
    # from 100 % to nothing in 10 of 60 seconds
    assert minute.utilization == pytest.approx(0.5 * 10 / 60)
    assert minute.utilization_min == 0.0
    assert minute.utilization_max == pytest.approx(1.0)
    assert (minute.accepted, minute.refused, minute.spilled) == (2, 1, 1)
    assert minute.prompt_tokens == 2 * 12_496 + 4_000
    assert minute.cached_tokens == pytest.approx(4_000)
    assert minute.generated_tokens == 2
    assert isinstance(minute.refused, int)


async def test_a_refusal_that_did_not_spill_over_is_told_apart(azure: Azure) -> None:
    await azure.call("idle", prompt=25_000)
    assert await azure.call("idle", prompt=1) == 429
    azure.clock.time += 180
    async with closing(azure.monitor("idle")) as reader:
        (minute,) = await reader.minutes()
    assert (minute.accepted, minute.refused, minute.spilled) == (1, 1, 0)


async def test_every_minute_that_is_visible_is_told_oldest_first(azure: Azure) -> None:
    for _ in range(3):
        await azure.call(prompt=10)
        await azure.call("idle", prompt=10)
        azure.clock.time += 60
    azure.clock.time += 30
    async with closing(azure.monitor("idle", "busy")) as reader:
        minutes = await reader.minutes()
        assert [(minute.ends_at - START, minute.deployment) for minute in minutes] == [
            (60, "busy"),
            (60, "idle"),
            (120, "busy"),
            (120, "idle"),
        ], "the third minute is over and not yet visible"
        azure.clock.time += 600
        assert await reader.minutes() == [], "older than ten minutes"


async def test_an_idle_minute_is_no_minute(azure: Azure) -> None:
    await azure.call("busy", prompt=10)
    azure.clock.time += 180
    async with closing(azure.monitor("idle")) as reader:
        assert await reader.minutes() == []


async def test_a_minute_that_is_not_over_is_not_told(azure: Azure) -> None:
    azure.server.simulation.configure({"metric_delay_seconds": 0}, now=azure.clock.now())
    await azure.call(prompt=10)
    async with closing(azure.monitor("busy")) as reader:
        azure.clock.time = START + 59
        assert await reader.minutes() == []
        azure.clock.time = START + 60
        assert [minute.ends_at for minute in await reader.minutes()] == [START + 60]


async def test_more_series_than_azure_gives_by_itself_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    names = [f"ptu-{n}" for n in range(25)]
    config = PtuServerConfig.from_dict(
        {"deployments": [{"name": n, "model": "gpt-4.1", "ptus": 50} for n in names]}
    )
    async with (
        PtuServer(config, port=0, clock=clock) as server,
        aiohttp.ClientSession() as session,
    ):
        server.simulation.configure({"zero_latency": True}, now=clock.now())
        for name, value in server.identity_environment.items():
            monkeypatch.setenv(name, value)
        azure = Azure(server, clock, session)
        for name in names:
            await azure.call(name, prompt=10)
        clock.time += 180
        async with closing(azure.monitor(*names)) as reader:
            minutes = await reader.minutes()
    assert {minute.deployment for minute in minutes if minute.accepted == 1} == set(names)


# --- services that refuse, garble, hang or are away ----------------------------------------------

Asked = dict[str, str]


def told(metric: str, total: float, **labels: str) -> dict[str, Any]:
    """One point of one series, in the words of the batch API."""
    dimensions = {"modeldeploymentname": "p", **labels}
    return {
        "name": {"value": metric, "localizedValue": metric},
        "unit": "Count",
        "timeseries": [
            {
                "metadatavalues": [
                    {"name": {"value": name}, "value": value} for name, value in dimensions.items()
                ],
                "data": [{"timeStamp": "2027-01-15T08:00:00Z", "total": total, "average": total}],
            }
        ],
    }


def answer(asked: Asked) -> web.Response:
    """A figure of 50 for whatever is asked, split by whatever it is split by."""
    split = {"StatusCode": "429", "IsSpillover": "False"}
    labels = {name.lower(): value for name, value in split.items() if name in asked["filter"]}
    value = [told(name, 50, **labels) for name in asked["metricnames"].split(",")]
    return web.json_response({"values": [{"interval": "PT1M", "value": value}]})


def refuse(status: int, message: str = "no") -> web.Response:
    return web.json_response({"error": {"code": "No", "message": message}}, status=status)


@asynccontextmanager
async def asking(respond: Callable[[Asked], web.Response]) -> AsyncIterator[AzureMonitor]:
    """A reader of a service that responds so."""

    async def get_batch(request: web.Request) -> web.Response:
        return respond(dict(request.query))

    application = web.Application()
    application.router.add_post("/subscriptions/{subscription}/metrics:getBatch", get_batch)
    clock = Clock()
    clock.time = datetime(2027, 1, 15, 8, 3, tzinfo=UTC).timestamp()
    async with TestServer(application) as server:
        url = str(server.make_url("")).rstrip("/")
        reader = monitor(url, "p", identity=WithToken(client_id=None), clock=clock)
        async with closing(reader):
            yield reader


ALL = Minute(
    deployment="p",
    ends_at=datetime(2027, 1, 15, 8, 1, tzinfo=UTC).timestamp(),
    utilization=0.5,
    accepted=0,
    refused=50,
    spilled=0,
    prompt_tokens=50,
    cached_tokens=25,
    generated_tokens=50,
)


async def test_ten_whole_minutes_are_asked_for_in_three_queries() -> None:
    asked: list[Asked] = []

    def respond(query: Asked) -> web.Response:
        asked.append(query)
        return answer(query)

    async with asking(respond) as reader:
        assert await reader.minutes() == [ALL]
    assert len(asked) == 3
    for query in asked:
        start, end = (datetime.fromisoformat(query[name]) for name in ("starttime", "endtime"))
        assert end == datetime(2027, 1, 15, 8, 3, tzinfo=UTC)
        assert end - start == timedelta(minutes=10)
        assert int(query["top"]) > 1_000
    with_status = [query["metricnames"] for query in asked if "StatusCode" in query["filter"]]
    assert with_status == ["AzureOpenAIRequests"]


@pytest.mark.parametrize(
    ("refused", "status", "lost"),
    [
        pytest.param(
            "AzureOpenAIProvisionedManagedUtilizationV2", 400, {"utilization"}, id="utilization"
        ),
        pytest.param("AzureOpenAIContextTokensCacheMatchRate", 400, set(), id="cache rate"),
        pytest.param("ProcessedPromptTokens", 501, {"prompt_tokens", "cached_tokens"}, id="prompt"),
        pytest.param("GeneratedTokens", 400, {"generated_tokens"}, id="generated"),
        pytest.param("ActiveTokens", 400, set(), id="active"),
        pytest.param("IsSpillover", 400, {"spilled"}, id="a dimension"),
        pytest.param("StatusCode", 400, {"accepted", "refused", "spilled"}, id="requests"),
        pytest.param("AzureOpenAIRequests", 403, {"accepted", "refused", "spilled"}, id="role"),
    ],
)
async def test_what_is_refused_alone_costs_nothing_else(
    refused: str, status: int, lost: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    def respond(query: Asked) -> web.Response:
        if refused in query["metricnames"] or refused in query["filter"]:
            return refuse(status)
        return answer(query)

    async with asking(respond) as reader:
        with caplog.at_level(logging.WARNING):
            (minute,) = await reader.minutes()
    # the cache rate has a substitute: all tokens less the active ones
    substitute = {"cached_tokens": 50.0} if "CacheMatchRate" in refused else {}
    figures = (
        "utilization",
        "accepted",
        "refused",
        "spilled",
        "prompt_tokens",
        "cached_tokens",
        "generated_tokens",
    )
    expected = {name: getattr(ALL, name) for name in figures} | dict.fromkeys(lost) | substitute
    assert {name: getattr(minute, name) for name in figures} == expected
    if refused != "IsSpillover":
        assert "some metrics cannot be read" in caplog.text


@pytest.mark.parametrize(
    "garbled",
    [
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="no values"),
        pytest.param('{"values": [{"value": [{"timeseries": [{"data": [{}]}]}]}]}', id="no time"),
        pytest.param("nonsense", id="no JSON"),
    ],
)
async def test_an_answer_that_cannot_be_read_costs_its_own_figures_only(garbled: str) -> None:
    def respond(query: Asked) -> web.Response:
        if "AzureOpenAIRequests" in query["metricnames"]:
            return web.Response(text=garbled, content_type="application/json")
        return answer(query)

    async with asking(respond) as reader:
        (minute,) = await reader.minutes()
    assert (minute.utilization, minute.refused) == (0.5, None)


async def test_without_the_role_the_monitor_is_unavailable_and_says_why() -> None:
    async with asking(lambda _: refuse(401)) as reader:
        with pytest.raises(DependencyUnavailable, match="ClientAuthenticationError 401"):
            await reader.minutes()


async def test_a_monitor_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PtuServerConfig.from_dict({"deployments": [{"name": "p", "ptus": 50}]})
    async with PtuServer(config, port=0) as server:
        for name, value in server.identity_environment.items():
            monkeypatch.setenv(name, value)
    identity = Identity(client_id=None)
    async with closing(monitor(server.url, "p", identity=identity)) as reader:
        with pytest.raises(DependencyUnavailable):
            await reader.minutes()
    await identity.close()


async def test_a_monitor_that_never_answers_does_not_keep_the_timer() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        async with closing(
            monitor(
                f"http://127.0.0.1:{port}",
                "p",
                identity=WithToken(client_id=None),
                request_seconds=0.2,
            )
        ) as reader:
            with pytest.raises(DependencyUnavailable, match="TimeoutError"):
                await reader.minutes()
