"""One system that most tests of this folder share; each uses deployments of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local.system.options import Deployment
from tests.end_to_end.systems import System, running

LANES: tuple[str | Deployment, ...] = (
    "plain",
    "throttled",
    Deployment(name="small", ptus=10, more="window_seconds=2"),
    "flaky",
    "broken",
    "refusing",
    Deployment(name="verbose", ptus=10_000_000),
    "slow",
    "late",
    "full",
    "crowded",
    "watched",
)
"""The first is the default of who names none."""


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with running(tmp_path_factory.mktemp("shared"), *LANES) as shared:
        yield shared
