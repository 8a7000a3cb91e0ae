"""The belief of the app, shown while the demo runs and kept for its end."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from local.demo.api import Api
from local.demo.belief import Beliefs, is_sending, line, table
from local.demo.progress import PlainView, Snapshot
from local.system.errors import SystemFailed
from tests.support.polling import until


def verdict(*, waiting: int, why: str = "1.1 s of work are in the deployment") -> dict[str, Any]:
    return {"verdict": "wait", "why": why, "waiting": waiting}


def shown(**changes: Any) -> dict[str, Any]:
    """What `GET /capacity/{deployment}` answers, as far as the demo looks at it."""
    belief = {
        "level": 0.068,
        "others_load": 0.43,
        "basis": "header",
        "age_seconds": 1.25,
        "in_flight": 21,
    }
    return {
        "dispatching": True,
        "belief": {**belief, **changes.pop("belief", {})},
        "readings": [
            {
                "kind": "level",
                "source": "host-1",
                "value": 0.07,
                "age_seconds": 1.25,
                "weight": 1.0,
            },
            {"kind": "sends", "source": "host-2", "value": None, "age_seconds": 3, "weight": 0.0},
        ],
        "leases": [{"hub": "requests", "holder": "host-1", "waiting": 104}],
        "verdict": {
            "requests": verdict(waiting=104),
            "requests-soon": verdict(waiting=2, why="another reason"),
            "requests-later": None,
        },
        "learned": {"drain_ptus": 640.2, "used_share": 0.52, "usual_load": 0.44},
        "what_would_change_it": ["the next response", "usage events on hub usage: none seen"],
        **changes,
    }


NOTHING = {"level": None, "others_load": None, "age_seconds": None, "in_flight": 0}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            shown(),
            "level 6.8%, others 43%, by header 1.2 s old; "
            "wait: 1.1 s of work are in the deployment",
            id="known: the verdict is that of the hub where most wait",
        ),
        pytest.param(shown(belief=NOTHING), "nothing is known yet", id="nothing known"),
        pytest.param(None, "nobody answers", id="no host"),
        pytest.param(
            shown(verdict={"requests": None}, belief={"age_seconds": None}),
            "level 6.8%, others 43%, by header; no request is at the gate",
            id="no age, no request",
        ),
    ],
)
def test_a_belief_fits_in_a_line(said: dict[str, Any] | None, expected: str) -> None:
    assert line(said) == expected


def test_at_the_end_every_reading_is_shown_with_its_age_and_weight() -> None:
    rows = table(shown()).splitlines()
    assert " ".join(rows[1].split()) == "by readings level 7.0% 1.2 s old weight 1 host-1"
    assert " ".join(rows[2].split()) == "sends 3.0 s old weight 0 host-2"
    assert "requests: host-1, 104 waiting" in rows[3]
    assert "as 640.2 PTU do, 52% of max_tokens are used" in rows[4]
    assert rows[5].endswith("the next response")
    assert rows[6].endswith("usage events on hub usage: none seen")


def test_what_is_missing_is_not_shown() -> None:
    rows = table(shown(readings=[], learned=None, leases=[], what_would_change_it=[]))
    assert rows.splitlines() == [f"belief          {line(shown())}"]


@pytest.mark.parametrize(
    ("said", "sending"),
    [
        pytest.param(shown(), True, id="calls run, requests wait"),
        pytest.param(shown(belief={"in_flight": 0}), False, id="no call"),
        pytest.param(shown(verdict={"requests": verdict(waiting=0)}), False, id="none waits"),
        pytest.param(shown(dispatching=False), False, id="nothing is dispatched"),
    ],
)
def test_it_is_sending_while_calls_run_and_requests_wait(
    said: dict[str, Any], sending: bool
) -> None:
    assert is_sending(said) is sending


def test_a_plain_line_is_followed_by_the_belief() -> None:
    out = io.StringIO()
    PlainView(out).show(Snapshot(seconds=1, requests=10, belief="level 7%"))
    assert out.getvalue().splitlines()[1].strip() == "believes: level 7%"


async def test_the_last_belief_while_sending_is_kept() -> None:
    answers: list[Any] = [None, shown(), shown(dispatching=False)]

    async def capacity(request: web.Request) -> web.Response:
        assert request.match_info["name"] == "ptu"
        assert request.headers["x-functions-key"] == "k"
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.json_response(answer, status=503 if answer is None else 200)

    application = web.Application()
    application.router.add_get("/capacity/{name}", capacity)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        url = str(server.make_url("")).rstrip("/")
        api = Api(session=session, url=lambda: url, key="k")
        async with Beliefs(api, deployment="ptu", look_seconds=0.01) as beliefs:
            await until(lambda: len(answers) == 1, "three answers")
            await until(lambda: beliefs.latest == answers[0], "the last answer")
    assert beliefs.sending == shown()


async def test_a_host_that_is_gone_tells_nothing_and_the_next_one_is_asked() -> None:
    """Between a kill and the next start no host runs at all: nobody knows an address then."""
    hosts: list[str] = []

    def url() -> str:
        if not hosts:
            raise SystemFailed("no Functions host is running")
        return hosts[-1]

    async def capacity(request: web.Request) -> web.Response:
        return web.json_response(shown())

    application = web.Application()
    application.router.add_get("/capacity/{name}", capacity)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        api = Api(session=session, url=url, key="k")
        async with Beliefs(api, deployment="ptu", look_seconds=0.01) as beliefs:
            await asyncio.sleep(0.05)
            hosts.append("http://127.0.0.1:1")
            await asyncio.sleep(0.05)
            assert beliefs.latest is None
            hosts.append(str(server.make_url("")).rstrip("/"))
            await until(lambda: beliefs.latest is not None, "the next host's answer")
