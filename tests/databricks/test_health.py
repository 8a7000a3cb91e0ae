"""`GET /health` of the consumer, over a real socket."""

from __future__ import annotations

import aiohttp
import pytest

from ptu_consumer.__main__ import _options
from ptu_consumer.health import HealthServer
from tests.support.azurite import free_port


@pytest.mark.parametrize(
    ("state", "status"), [("starting", 503), ("reading", 200), ("stopping", 503)]
)
async def test_it_is_good_only_while_all_hubs_are_read(state: str, status: int) -> None:
    port = free_port()
    async with (
        HealthServer(port, lambda: state),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/health") as answer,
    ):
        assert answer.status == status
        assert await answer.json() == {"status": state}


async def test_nothing_else_is_served() -> None:
    port = free_port()
    async with (
        HealthServer(port, lambda: "reading"),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/") as answer,
    ):
        assert answer.status == 404


@pytest.mark.parametrize(
    ("arguments", "port"),
    [
        pytest.param([], None, id="nowhere unless it is asked for"),
        pytest.param(["--health-port", "7071"], 7071, id="where it is asked for"),
    ],
)
def test_no_port_is_opened_that_nobody_asked_for(arguments: list[str], port: int | None) -> None:
    assert _options(arguments).health_port == port
