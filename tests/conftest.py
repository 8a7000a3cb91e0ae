"""Fixtures that tests of several parts share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import hypothesis
import pytest_asyncio

from tests.support.azurite import azurite

# a busy machine is no fault of the code: no example has a time limit of its own
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def storage() -> AsyncIterator[str]:
    """The connection string of an Azurite that lives as long as the tests."""
    async with azurite() as connection_string:
        yield connection_string
