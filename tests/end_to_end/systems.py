"""The whole system over real sockets, with times that fit a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from local.system import LocalSystem, Options, Ports
from local.system.options import Deployment
from tests.end_to_end.clients import App, Ptu, Store
from tests.end_to_end.upstream import Upstream

HUBS: Mapping[str, int] = {"requests": 2, "requests-soon": 1, "requests-later": 2, "usage": 1}
"""Few partitions, which are owned sooner; two of them, so that two hosts can share."""

CALL_LIMIT, WRITE_BUDGET, SKEW = 6, 6, 1
LEASE_SECONDS = CALL_LIMIT + WRITE_BUDGET + SKEW

SETTINGS: Mapping[str, str] = {
    "CALL_LIMIT_SECONDS": str(CALL_LIMIT),
    "WRITE_BUDGET_SECONDS": str(WRITE_BUDGET),
    "SKEW_SECONDS": str(SKEW),
    "HOLD_SECONDS": "3",
    "INVOCATION_BUDGET_SECONDS": "15",
    "MAX_FAILURES": "3",
    "MAX_CONCURRENT_CALLS": "16",
    "MAX_ITEMS": "60",
    "MAX_BODY_BYTES": "3000000",
    "SWEEP_SCHEDULE": "*/2 * * * * *",
    "GAUGE_SCHEDULE": "*/5 * * * * *",
}


@dataclass(frozen=True)
class System:
    """A running system, and everything that looks at it."""

    local: LocalSystem
    app: App
    ptu: Ptu
    store: Store
    upstream: Upstream


@asynccontextmanager
async def running(
    folder: Path,
    *deployments: str | Deployment,
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[System]:
    """A system with these deployments; each is a lane of its own, with a gate of its own."""
    ports = Ports.free(hosts=6)
    async with (
        Upstream(ptu_url=f"http://127.0.0.1:{ports.ptu}") as upstream,
        LocalSystem(
            Options(
                ports=ports,
                logs=folder / "logs",
                hubs=dict(HUBS),
                deployments=tuple(
                    Deployment(name=each) if isinstance(each, str) else each for each in deployments
                ),
                ptu_arguments=("--latency", "first_token_seconds=0.02,seconds_per_output_token=0"),
                settings={
                    **SETTINGS,
                    "AZURE_OPENAI_ENDPOINT": upstream.url,
                    **(settings or {}),
                },
                **options,
            )
        ) as local,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
    ):
        yield System(
            local=local,
            app=App(system=local, session=session),
            ptu=Ptu(url=local.ptu_url, session=session),
            store=Store(system=local, session=session),
            upstream=upstream,
        )
