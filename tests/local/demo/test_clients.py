"""The demo's clients, against the real simulated PTU and a small stand-in for the app."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from local.demo.api import ITEMS_PER_CALL, Api
from local.demo.interactive import InteractiveTraffic
from local.demo.truth import PtuTruth
from local.ptu.config import DeploymentConfig, PtuServerConfig
from local.ptu.latency import ZERO_LATENCY
from local.ptu.server import PtuServer
from local.system.errors import SystemFailed
from local.traffic.trace import Call


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def until(condition: Any) -> None:
    for _ in range(1_000):
        if await condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within ten seconds")


async def test_interactive_calls_reach_the_ptu_as_such_and_round_after_round(
    session: aiohttp.ClientSession,
) -> None:
    deployment = DeploymentConfig.from_dict({"name": "ptu", "model": "gpt-4.1", "ptus": 600})
    config = PtuServerConfig(deployments=(deployment,)).with_latency(ZERO_LATENCY)
    async with PtuServer(config, port=0) as server:
        traffic = InteractiveTraffic(
            session=session,
            url=server.url,
            deployment="ptu",
            key="local",
            calls=[Call(0.0, 100, 10), Call(0.02, 50, 5)],
            seconds=0.05,
        )
        truth = PtuTruth(session=session, url=server.url, deployment="ptu")
        playing = asyncio.create_task(traffic.run())

        async def two_rounds() -> bool:
            return (await truth.books()).interactive_served >= 4

        try:
            await until(two_rounds)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        books = await truth.books()
        assert books.batch_served == 0
        assert traffic.unanswered == 0
        assert await truth.now() > 0


class App:
    """Stands in for the app: takes items, and lets requests succeed on the second look."""

    def __init__(self) -> None:
        self.posts: list[int] = []
        self.looks: dict[str, int] = {}
        self.keys: set[str | None] = set()
        self.refuse = False

    async def producer(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers.get("x-functions-key"))
        if self.refuse:
            return web.Response(status=400, text="items[0]: no messages")
        items = await request.json()
        first = sum(self.posts)
        self.posts.append(len(items))
        ids = [f"id-{first + index}" for index in range(len(items))]
        return web.json_response({"request_ids": ids, "detail": ""}, status=202)

    async def response(self, request: web.Request) -> web.Response:
        request_id = request.match_info["id"]
        look = self.looks[request_id] = self.looks.get(request_id, 0) + 1
        if look == 1:
            return web.Response(status=503)
        answer = {"choices": [{"message": {"content": "42"}}]}
        return web.json_response({"state": "succeeded", "deferrals": 1, "response": answer})


@pytest.fixture
async def app() -> AsyncIterator[tuple[App, str]]:
    stand_in = App()
    application = web.Application()
    application.router.add_post("/producer", stand_in.producer)
    application.router.add_get("/response/{id}", stand_in.response)
    async with TestServer(application) as server:
        yield stand_in, str(server.make_url("")).rstrip("/")


async def test_items_go_in_by_the_hundred_with_the_key(
    app: tuple[App, str], session: aiohttp.ClientSession
) -> None:
    stand_in, url = app
    api = Api(session=session, url=lambda: url, key="secret")
    ids = await api.submit([{}] * (ITEMS_PER_CALL + 1))
    assert stand_in.posts == [ITEMS_PER_CALL, 1]
    assert ids == [f"id-{index}" for index in range(ITEMS_PER_CALL + 1)]
    assert stand_in.keys == {"secret"}


async def test_a_refusal_says_what_the_app_said(
    app: tuple[App, str], session: aiohttp.ClientSession
) -> None:
    stand_in, url = app
    stand_in.refuse = True
    with pytest.raises(SystemFailed, match=r"400: items\[0\]: no messages"):
        await Api(session=session, url=lambda: url, key="k").submit([{}])


async def test_results_are_read_until_they_are_final(
    app: tuple[App, str], session: aiohttp.ClientSession
) -> None:
    _, url = app
    api = Api(session=session, url=lambda: url, key="k")
    results = await api.results(["a"], until=asyncio.get_running_loop().time() + 10)
    assert results["a"].state == "succeeded"
    assert results["a"].answered
    assert results["a"].deferrals == 1


async def test_what_is_not_final_in_time_is_given_as_it_is(
    app: tuple[App, str], session: aiohttp.ClientSession
) -> None:
    _, url = app
    results = await Api(session=session, url=lambda: url, key="k").results(["a"], until=0.0)
    assert not results["a"].final
    assert results["a"].state == "HTTP 503"


async def test_a_host_that_is_gone_is_no_result(session: aiohttp.ClientSession) -> None:
    api = Api(session=session, url=lambda: "http://127.0.0.1:1", key="k")
    results = await api.results(["a"], until=0.0)
    assert not results["a"].final
