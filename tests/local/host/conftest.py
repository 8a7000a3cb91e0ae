"""Fixtures of the host's tests."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator

import pytest_asyncio

from tests.local.host.support import azurite

# azure-functions-runtime exists for Python 3.13 and later only.
collect_ignore = (
    [] if importlib.util.find_spec("azure_functions_runtime") else ["test_runtime_agreement.py"]
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def storage() -> AsyncIterator[str]:
    """The connection string of an Azurite that lives as long as the tests."""
    async with azurite() as connection_string:
        yield connection_string
