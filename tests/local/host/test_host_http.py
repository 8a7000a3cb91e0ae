"""HTTP through a real host process: routes, keys, streaming, big bodies, broken workers."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.local.host.support import DEADLINE_SECONDS, HostProcess, alive, launch, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostProcess]:
    folder = tmp_path_factory.mktemp("host")
    async with await HostProcess.start("http", folder, {"GREETING": "hello"}) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(host: HostProcess) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(host.url) as session:
        yield session


async def test_a_function_sees_the_whole_request(client: aiohttp.ClientSession) -> None:
    headers = {"x-test": "yes"}
    async with client.post("/echo/a%20b/12?q=1", data=b"body", headers=headers) as answer:
        seen = await answer.json()
        assert answer.headers["x-answer"] == "yes"
    assert seen["method"] == "POST"
    assert seen["params"] == {"name": "a b", "number": "12"}
    assert (seen["query"], seen["header"], seen["bytes"]) == ({"q": "1"}, "yes", 4)
    assert (seen["function"], seen["setting"]) == ("echo", "hello")


async def test_an_optional_parameter_may_be_absent(client: aiohttp.ClientSession) -> None:
    async with client.post("/echo/a") as answer:
        assert (await answer.json())["params"] == {"name": "a"}


async def test_a_catch_all_takes_the_rest_of_the_path(client: aiohttp.ClientSession) -> None:
    async with client.get("/files/a/b.txt") as answer:
        assert await answer.json() == {"path": "a/b.txt"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", "/nothing", id="no such route"),
        pytest.param("GET", "/echo/a", id="another method"),
        pytest.param("POST", "/echo/a/x", id="not the constraint"),
    ],
)
async def test_what_no_route_takes_is_not_found(
    client: aiohttp.ClientSession, method: str, path: str
) -> None:
    async with client.request(method, path) as answer:
        assert answer.status == 404


async def test_keys_open_functions_by_level(
    host: HostProcess, client: aiohttp.ClientSession
) -> None:
    keys = host.keys()
    master = keys["masterKey"]
    own, other = keys["functions"]["guarded"]["default"], keys["functions"]["echo"]["default"]
    expected = {
        ("/guarded", ""): 401,
        ("/guarded", own): 200,
        ("/guarded", other): 401,
        ("/guarded", keys["functionKeys"]["default"]): 200,
        ("/administered", own): 401,
        ("/administered", keys["functionKeys"]["default"]): 401,
        ("/administered", master): 200,
    }
    for (path, key), status in expected.items():
        async with client.get(path, headers={"x-functions-key": key}) as answer:
            assert answer.status == status, (path, key)
        async with client.get(path, params={"code": key}) as answer:
            assert answer.status == status, (path, key)


async def test_a_function_that_raises_is_an_internal_error(client: aiohttp.ClientSession) -> None:
    async with client.get("/broken") as answer:
        assert (answer.status, await answer.text()) == (500, "Internal Server Error")
    async with client.get("/empty") as answer:
        assert answer.status == 204


async def test_a_function_that_returns_nothing_is_an_internal_error_as_in_azure(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/forgotten") as answer:
        assert answer.status == 500


async def test_an_http_exception_of_fastapi_keeps_its_status(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/refusing") as answer:
        assert (answer.status, await answer.json()) == (418, {"detail": "a teapot"})


async def test_functions_that_are_not_coroutines_run_in_threads(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/threaded") as answer:
        assert (await answer.json())["thread"] != "MainThread"


async def test_each_piece_of_a_stream_arrives_before_the_next_one_is_made(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/stream", params={"pieces": "3"}) as answer:
        pieces = []
        async for piece in answer.content:
            pieces.append(piece)
            # the function waits for this before it makes another one
            async with client.post("/step") as stepped:
                assert stepped.status == 204
    assert pieces == [b"piece 0\n", b"piece 1\n", b"piece 2\n"]


async def seen(client: aiohttp.ClientSession, what: str) -> None:
    """Wait until a function has noted `what`; the host answers other calls meanwhile."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    noted: list[str] = []
    while what not in noted:
        assert time.monotonic() < deadline, f"the function never noted {what!r}"
        async with client.get("/disconnects") as answer:
            noted = await answer.json()


async def test_a_caller_who_hangs_up_ends_the_stream(client: aiohttp.ClientSession) -> None:
    async with client.get("/stream", params={"pieces": "1000"}) as answer:
        await answer.content.readline()
        answer.close()
    await seen(client, "stream")


async def test_a_caller_who_hangs_up_in_its_request_ends_the_upload(
    host: HostProcess, client: aiohttp.ClientSession
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", int(host.url.rpartition(":")[2]))
    writer.write(b"POST /upload HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\nhalf")
    await seen(client, "upload begun")
    writer.close()
    await seen(client, "upload")
    await host.at_rest()


async def test_a_function_works_on_when_its_caller_has_hung_up_and_can_tell(
    host: HostProcess, client: aiohttp.ClientSession
) -> None:
    calling = asyncio.create_task(client.get("/patient"))
    await seen(client, "patient begun")
    calling.cancel()
    await seen(client, "patient")
    await host.at_rest()


async def test_a_function_sees_the_caller_and_the_invocation_but_nothing_of_this_host(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/headers", headers=[("x-a", "1"), ("x-a", "2")]) as answer:
        names = dict(await answer.json())
        assert answer.headers.getall("x-twice") == ["1", "2"]
        assert len(answer.headers.getall("date")) == 1
    assert names["x-a"] == "1, 2"
    assert names["x-forwarded-for"] == names["client"] == "127.0.0.1"
    assert len(names["x-ms-invocation-id"]) == 36
    assert not [name for name in names if name.startswith("x-local")]


async def test_an_answer_to_head_has_no_body(client: aiohttp.ClientSession) -> None:
    for _ in range(2):
        async with client.head("/headers") as answer:
            assert int(answer.headers["content-length"]) > 0
            assert await answer.read() == b""


async def test_a_body_of_25_megabytes_arrives_whole(client: aiohttp.ClientSession) -> None:
    body = os.urandom(25_000_000)
    async with client.post("/echo/big", data=body) as answer:
        seen = await answer.json()
    assert seen["bytes"] == len(body)
    assert seen["sha256"] == hashlib.sha256(body).hexdigest()


async def test_a_body_that_the_function_does_not_read_does_no_harm(
    client: aiohttp.ClientSession,
) -> None:
    for size in (0, 10, 1_000_000, 10):
        async with client.post("/ignore", data=b"x" * size) as answer:
            assert await answer.text() == "not read"


async def test_many_requests_at_once_are_not_mixed_up(client: aiohttp.ClientSession) -> None:
    async def one(number: int) -> bool:
        body = str(number).encode() * 100
        async with client.post(f"/echo/n{number}/{number}", data=body) as answer:
            seen = await answer.json()
        return bool(
            seen["params"] == {"name": f"n{number}", "number": str(number)}
            and seen["sha256"] == hashlib.sha256(body).hexdigest()
        )

    assert all(await asyncio.gather(*(one(number) for number in range(200))))


async def test_the_hosts_own_endpoints_need_the_master_key(
    host: HostProcess, client: aiohttp.ClientSession
) -> None:
    async with client.get("/admin/host/status") as answer:
        assert answer.status == 401
    status = await host.status()
    assert status["state"] == "Running"
    assert "echo" in status["functions"]
    headers = {"x-functions-key": host.keys()["masterKey"]}
    async with client.get("/admin/functions", headers=headers) as answer:
        listed = {function["name"]: function["trigger"] for function in await answer.json()}
    assert listed["echo"] == "HttpTrigger"
    async with client.get("/admin/nothing", headers=headers) as answer:
        assert answer.status == 404


async def test_a_killed_worker_fails_its_requests_and_is_replaced(
    host: HostProcess, client: aiohttp.ClientSession
) -> None:
    async with client.get("/slow", params={"seconds": "0"}) as answer:
        before = (await answer.json())["pid"]
    running = asyncio.create_task(client.get("/slow", params={"seconds": "30"}))
    await host.busy()
    os.kill(before, signal.SIGKILL)
    answer = await running
    assert answer.status == 502
    assert "the worker" in await answer.text()
    await host.replaced("all", before)
    async with client.get("/slow", params={"seconds": "0"}) as answer:
        assert (await answer.json())["pid"] != before


@pytest.mark.parametrize("length", ["", "100"], ids=["chunked", "with a length"])
async def test_a_worker_that_dies_in_its_answer_breaks_the_answer_off(
    host: HostProcess, client: aiohttp.ClientSession, length: str
) -> None:
    before = (await host.worker_pids())["all"]
    async with client.get("/stream", params={"pieces": "3", "length": length}) as answer:
        await answer.content.readline()
        os.kill(before, signal.SIGKILL)
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()
    await host.replaced("all", before)
    async with client.get("/slow", params={"seconds": "0"}) as answer:
        assert answer.status == 200


async def test_without_a_worker_a_caller_waits_and_is_sent_away_when_the_host_stops(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    async with await HostProcess.start("http", tmp_path, {"NO_WORKER": str(closed)}) as host:
        closed.touch()
        os.kill((await host.worker_pids())["all"], signal.SIGKILL)
        await host.without("all")
        async with aiohttp.ClientSession(host.url) as client:
            running = asyncio.create_task(client.get("/empty"))
            await host.busy()
            host.terminate()
            answer = await running
            assert (answer.status, await answer.text()) == (503, "the host is stopping")
        assert await host.ended() == 0


async def test_a_caller_who_hangs_up_while_there_is_no_worker_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    async with await HostProcess.start("http", tmp_path, {"NO_WORKER": str(closed)}) as host:
        closed.touch()
        before = (await host.worker_pids())["all"]
        os.kill(before, signal.SIGKILL)
        await host.without("all")
        async with aiohttp.ClientSession(host.url) as client:
            calling = asyncio.create_task(client.get("/patient"))
            await host.busy()
            calling.cancel()
            closed.unlink()
            await host.replaced("all", before)
            await host.at_rest()
            async with client.get("/disconnects") as answer:
                assert await answer.json() == []  # the function was never called


async def test_the_largest_body_is_an_app_setting(tmp_path: Path) -> None:
    values = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"}
    async with (
        await HostProcess.start("http", tmp_path, values) as host,
        aiohttp.ClientSession(host.url) as client,
    ):
        for size, status in ((1000, 200), (1001, 413)):
            async with client.post("/echo/a", data=b"x" * size) as answer:
                assert answer.status == status


async def test_a_taken_port_is_named(host: HostProcess, tmp_path: Path) -> None:
    port = host.url.rpartition(":")[2]
    second = await launch("http", tmp_path, {}, "--port", port, capture=True)
    _, said = await asyncio.wait_for(second.communicate(), DEADLINE_SECONDS)
    assert second.returncode == 2
    assert f"--port: cannot listen on 127.0.0.1:{port}" in said.decode()


async def test_terminating_lets_running_requests_end_and_exits_cleanly(tmp_path: Path) -> None:
    async with await HostProcess.start("http", tmp_path, {}) as host:
        pids = await host.worker_pids()
        async with aiohttp.ClientSession(host.url) as client:
            running = asyncio.create_task(client.get("/slow", params={"seconds": "0.5"}))
            await host.busy()
            host.terminate()
            answer = await running
            assert answer.status == 200
            await answer.read()
        assert await host.ended() == 0
        assert not any(alive(pid) for pid in pids.values())


async def test_workers_do_not_outlive_a_killed_host(tmp_path: Path) -> None:
    async with await HostProcess.start("http", tmp_path, {}) as host:
        pids = await host.worker_pids()
        async with aiohttp.ClientSession(host.url) as client:
            running = asyncio.create_task(client.get("/slow", params={"seconds": "30"}))
            await host.busy()
            host.process.kill()
            with pytest.raises(aiohttp.ClientError):
                await running
        await until(lambda: not any(alive(pid) for pid in pids.values()), "the worker's end")
