"""The process: what it prints, how it ends, and what a kill -9 leaves behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from azure.eventhub import EventData

from local.event_hubs import EventHubsServer
from local.event_hubs.__main__ import main
from tests.local.event_hubs.support import DEADLINE_SECONDS, HubUnderTest


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The server as a process, and the address it says it is ready at."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local.event_hubs", "--port", "0", "--hub", "requests:1", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert running.stdout is not None
    try:
        line = await asyncio.wait_for(running.stdout.readline(), DEADLINE_SECONDS)
        word, url = line.decode().split()
        assert word == "ready"
        yield running, url
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


def hub_at(url: str) -> HubUnderTest:
    return HubUnderTest(
        f"Endpoint={url};SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;",
        "requests",
    )


async def test_sigterm_ends_it_cleanly_within_a_second() -> None:
    async with process() as (running, url):
        hub = hub_at(url)
        await hub.publish([b"x"])
        running.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.wait(), 1) == 0
        await hub.close()


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged = 0
    async with (
        process("--data", str(tmp_path)) as (running, url),
        hub_at(url).producer(retry_total=0) as producer,
    ):
        batch = await producer.create_batch()
        for index in range(50):
            batch.add(EventData(str(index)))
        for _ in range(20):
            await producer.send_batch(batch)
            acknowledged += 50
        running.kill()
        await running.wait()
    async with process("--data", str(tmp_path)) as (_, url):
        hub = hub_at(url)
        (last,) = (await hub.ends()).values()
        assert last + 1 == acknowledged
        await hub.close()


async def test_a_taken_port_ends_it_with_a_message() -> None:
    async with EventHubsServer(hubs={"requests": 1}) as server:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "local.event_hubs",
            "--port", str(server.port), "--hub", "requests:1",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await asyncio.wait_for(running.communicate(), DEADLINE_SECONDS)
        assert running.returncode == 1
        assert output == b""
        assert f"port {server.port} is taken; choose another with --port" in errors.decode()


@pytest.mark.parametrize(
    "arguments",
    [["--hub", "requests"], ["--hub", "requests:many"], ["--consumer-group", "audit"], []],
    ids=["no count", "not a count", "no hub", "no hubs at all"],
)
def test_a_malformed_option_is_explained(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "--hub" in capsys.readouterr().err
