"""What the end-to-end tests of the host share: a host process, notes of the app."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient

ROOT = Path(__file__).resolve().parents[3]
APPS = Path(__file__).parent / "apps"

DEADLINE_SECONDS = 30.0
"""How long real processes and sockets may take; nothing waits that long when all is well."""


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`, and fail naming `what` if it does not come."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {DEADLINE_SECONDS:g} s in vain for {what}")
        await asyncio.sleep(0.02)


class HostProcess:
    """`python -m local.host` as a developer starts it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, folder: Path) -> None:
        self.process = process
        self.url = url
        self._folder = folder
        self._session = aiohttp.ClientSession()

    @classmethod
    async def start(
        cls, app: str, folder: Path, values: Mapping[str, str], *arguments: str
    ) -> HostProcess:
        """Start it on a free port and wait for its `ready` line."""
        process = await launch(app, folder, values, *arguments)
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("ready "), f"the host said {line!r}"
        return cls(process, line.split()[1], folder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def status(self) -> dict[str, Any]:
        """`GET /admin/host/status`."""
        headers = {"x-functions-key": self.keys()["masterKey"]}
        async with self._session.get(f"{self.url}/admin/host/status", headers=headers) as answer:
            assert answer.status == 200
            return dict(await answer.json())

    def keys(self) -> dict[str, Any]:
        """The content of its keys file."""
        return dict(json.loads((self._folder / "keys.json").read_text()))

    async def get(self, path: str) -> Any:
        """The JSON answer of a GET."""
        async with self._session.get(f"{self.url}{path}") as answer:
            assert answer.status == 200
            return await answer.json()

    async def worker_pids(self) -> dict[str, int]:
        """Process ids by worker label."""
        return {worker["worker"]: worker["pid"] for worker in (await self.status())["workers"]}

    async def replaced(self, worker: str, pid: int) -> None:
        """Wait until another process has taken a worker's place."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (await self.worker_pids())[worker] in (pid, None):
            assert time.monotonic() < deadline, "no new worker"
            await asyncio.sleep(0.02)

    async def without(self, worker: str) -> None:
        """Wait until a worker is gone and no other has taken its place."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (await self.worker_pids())[worker] is not None:
            assert time.monotonic() < deadline, "the worker is still there"
            await asyncio.sleep(0.02)

    async def owning(self, function: str, partitions: int) -> None:
        """Wait until it owns that many partitions of the function's hub."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len((await self.status())["partitions"][function]) != partitions:
            assert time.monotonic() < deadline, f"{partitions} partitions for {function}"
            await asyncio.sleep(0.05)

    async def busy(self) -> None:
        """Wait until an invocation is running."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (await self.status())["in_flight"]:
            assert time.monotonic() < deadline, "nothing runs"
            await asyncio.sleep(0.02)

    async def at_rest(self) -> None:
        """Wait until nothing runs any more."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (await self.status())["in_flight"]:
            assert time.monotonic() < deadline, "something still runs"
            await asyncio.sleep(0.02)

    def terminate(self) -> None:
        """Ask it to drain and stop."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.process.wait()


async def launch(
    app: str | Path,
    folder: Path,
    values: Mapping[str, str],
    *arguments: str,
    capture: bool = False,
) -> asyncio.subprocess.Process:
    """Start a host process without waiting for anything; `capture` its stderr too."""
    settings = write_settings(folder, values)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.host", "--app", str(APPS / app), "--port", "0"),
        *("--settings", str(settings), "--data", str(folder), *arguments),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if capture else None,
    )


def write_settings(folder: Path, values: Mapping[str, str]) -> Path:
    """A local.settings.json with these values."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "local.settings.json"
    settings.write_text(json.dumps({"IsEncrypted": False, "Values": dict(values)}))
    return settings


class Hub:
    """Sends to one hub, to the partition that a test names."""

    def __init__(self, connection_string: str, name: str) -> None:
        self._producer = EventHubProducerClient.from_connection_string(
            connection_string, eventhub_name=name
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.close()

    async def send(self, *bodies: str | EventData, partition: int = 0) -> None:
        """Publish a batch."""
        batch = await self._producer.create_batch(partition_id=str(partition))
        for body in bodies:
            batch.add(body if isinstance(body, EventData) else EventData(body))
        await self._producer.send_batch(batch)


class Notes:
    """What the functions of `apps/events` have noted, over all worker processes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def all(self, what: str) -> list[dict[str, Any]]:
        """The notes of one kind, oldest first."""
        lines = (line for file in self.folder.glob("*.jsonl") for line in file.open())
        notes = [json.loads(line) for line in lines if line.endswith("\n")]
        found = [note for note in notes if note["what"] == what]
        return sorted(found, key=lambda note: float(note["time"]))

    def bodies(self, what: str) -> list[str]:
        """All bodies in the notes of one kind."""
        return [body for note in self.all(what) for body in note["bodies"]]

    def count(self, what: str, body: str) -> int:
        """How often a body has been noted."""
        return self.bodies(what).count(body)

    async def seen(self, what: str, bodies: Sequence[str]) -> None:
        """Wait until every one of `bodies` has been noted."""
        await until(lambda: set(bodies) <= set(self.bodies(what)), f"{what}: {bodies}")


def alive(pid: int) -> bool:
    """Whether a process exists that is not a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
