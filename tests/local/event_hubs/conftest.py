"""Where the contract tests find a hub, and a server for the tests that look inside one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local.event_hubs import EventHubsServer
from tests.local.event_hubs.support import Clock, HubUnderTest

HUB = "requests"
PARTITIONS = 4
OTHER_GROUP = "audit"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[EventHubsServer]:
    """A server in this process, in memory, whose time stands still."""
    async with EventHubsServer(
        hubs={HUB: PARTITIONS}, consumer_groups={HUB: [OTHER_GROUP]}, clock=clock
    ) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub() -> AsyncIterator[HubUnderTest]:
    """The hub that the contract is checked against.

    PTU_TEST_EVENT_HUBS, a namespace's connection string, points the contract at Azure or at
    Microsoft's emulator; PTU_TEST_EVENT_HUBS_HUB names a hub there with four partitions at least
    (`requests` by default) and a consumer group `audit`. Without it, a server is started here.
    """
    elsewhere = os.environ.get("PTU_TEST_EVENT_HUBS")
    if elsewhere:
        there = HubUnderTest(elsewhere, os.environ.get("PTU_TEST_EVENT_HUBS_HUB", HUB))
        yield there
        await there.close()
        return
    async with EventHubsServer(
        hubs={HUB: PARTITIONS}, consumer_groups={HUB: [OTHER_GROUP]}
    ) as started:
        here = HubUnderTest(started.connection_string, HUB)
        yield here
        await here.close()
