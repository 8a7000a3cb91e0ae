"""A local system for measuring, and hosts of it that dispatch or only take requests in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp

from benchmarks.throughput.bodies import json_array
from benchmarks.throughput.side_by_side import at_once
from local.dev import paths
from local.system import LocalSystem, Options, Ports, SystemFailed
from local.system.part import Part

DISPATCH = ("dispatch_requests", "dispatch_requests_soon", "dispatch_requests_later")
TIMERS = ("gauge", "sweep")

SCHEDULES = {"GAUGE_SCHEDULE": "15 * * * * *", "SWEEP_SCHEDULE": "30 */2 * * * *"}
"""As local.settings.json.example has them; a local system's own are more frequent, for the demo."""

SECOND_SYSTEM = 20
"""How far the ports of a second system lie above the first one's; each host takes a new port."""


def disabled(functions: Sequence[str], value: bool = True) -> dict[str, str]:
    """Functions' own app setting for switching functions off, or on again."""
    return {f"AzureWebJobs.{name}.Disabled": str(value).lower() for name in functions}


def options(ports: Ports, *, ptu_arguments: Sequence[str], settings: Mapping[str, str]) -> Options:
    """A system whose PTU never refuses for want of capacity, and whose first host only takes in."""
    return Options(
        ports=ports,
        logs=paths.LOGS / f"throughput-{ports.host}",
        ptu_arguments=("--unlimited", *ptu_arguments),
        settings={**SCHEDULES, **disabled(DISPATCH), **settings},
    )


def second(ports: Ports) -> Ports:
    """The ports of a system that runs beside the one at `ports`."""
    return Ports(
        host=ports.host + SECOND_SYSTEM,
        event_hubs=ports.event_hubs + SECOND_SYSTEM,
        cosmos=ports.cosmos + SECOND_SYSTEM,
        ptu=ports.ptu + SECOND_SYSTEM,
        blobs=ports.blobs + SECOND_SYSTEM,
    )


@contextlib.asynccontextmanager
async def dispatching_host(system: LocalSystem) -> AsyncIterator[Part]:
    """One more host, which dispatches and has the timers, until this ends."""
    index = await system.start_host(settings=disabled((*DISPATCH, *TIMERS), value=False))
    try:
        yield system.hosts[index]
    finally:
        await system.stop_host(index)


@contextlib.asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=120)
    ) as session:
        yield session


class Intake:
    """`POST /producer` of the first host."""

    def __init__(self, system: LocalSystem, session: aiohttp.ClientSession) -> None:
        self._url = f"{system.hosts[0].url}/producer"
        self._headers = {
            "x-functions-key": system.keys.function,
            "content-type": "application/json",
        }
        self._session = session

    async def post(self, encoded: Sequence[bytes]) -> list[str]:
        """One array of encoded bodies; their request ids."""
        async with self._session.post(
            self._url, data=json_array(encoded), headers=self._headers
        ) as response:
            if response.status != 202:
                said = (await response.text())[:300]
                raise SystemFailed(f"POST /producer answered {response.status}: {said}")
            answer = await response.json()
        if not answer["detail"].startswith(f"{len(encoded)} event(s) sent"):
            raise SystemFailed(f"POST /producer published only a part: {answer['detail']}")
        ids: list[str] = answer["request_ids"]
        return ids

    async def post_all(self, lots: Sequence[Sequence[bytes]], *, concurrency: int) -> list[str]:
        """Many arrays, `concurrency` of them at a time; the ids in order."""
        ids = await at_once(self.post, lots, concurrency=concurrency)
        return [one for some in ids for one in some]
