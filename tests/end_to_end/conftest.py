"""One system that most tests of this folder share; each uses deployments of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.end_to_end.systems import System, running

LANES = (
    "plain",
    "throttled",
    "small",
    "flaky",
    "broken",
    "refusing",
    "slow",
    "late",
    "full",
    "crowded",
    "away",
)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with running(tmp_path_factory.mktemp("shared"), *LANES) as shared:
        yield shared
