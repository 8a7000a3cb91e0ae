"""The sender that gateways copy, with the real SDK against the local namespace."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator

import pytest
from azure.eventhub.aio import EventHubProducerClient

from examples.usage_events import EVENTS_PER_MESSAGE, UsageSender
from local.event_hubs import EventHubsServer
from ptu_optimizer.capacity.signals.usage_events import UsageEvents, decode
from ptu_optimizer.capacity.work import Model
from tests.support.azurite import free_port
from tests.support.hubs import Message, read_hub
from tests.support.polling import until

HUB = "usage"
MODEL = Model(input_tpm_per_ptu=3_000, output_ratio=4)


@pytest.fixture
async def server() -> AsyncIterator[EventHubsServer]:
    async with EventHubsServer(hubs={HUB: 4}) as started:
        yield started


def sender(connection_string: str) -> UsageSender:
    return UsageSender(
        EventHubProducerClient.from_connection_string(
            connection_string, eventhub_name=HUB, retry_total=0
        )
    )


async def messages(server: EventHubsServer, events: int) -> list[Message]:
    """What is on the hub once it holds so many events."""

    def all_there(found: list[Message]) -> bool:
        return sum(len(json.loads(body)) for _, body in found) >= events

    return await read_hub(server.connection_string, HUB, enough=all_there)


def call(usage: UsageSender) -> None:
    """A call that the gateway has estimated badly: it puts in 100 - 20 + 4 * 7 in the end."""
    usage.started(deployment="ptu", prompt_tokens=130, max_tokens=50).finished(
        prompt_tokens=100, cached_tokens=20, completion_tokens=7
    )


async def test_what_it_sends_is_understood_to_the_token(server: EventHubsServer) -> None:
    async with sender(server.connection_string) as usage:
        call(usage)
        usage.started(deployment="ptu", prompt_tokens=10, tenant="a").finished(status=503)
        usage.started(deployment="ptu", prompt_tokens=10).finished(status=429)
        usage.started(deployment="ptu", prompt_tokens=10, max_tokens=5).finished(
            completion_tokens=6, estimated=True
        )
    (message,) = await messages(server, 8)
    events = UsageEvents({"ptu": MODEL})
    now = max(event.epoch for event in decode(message[1]) if not isinstance(event, str))
    (found,), tally = events.aggregate([message[1]], record_id="r", source="s", now=now)
    assert (tally.taken, tally.used, tally.estimated, tally.dropped) == (8, 2, 1, {})
    assert sum(window.net for window in found.windows) == 108 + 34
    assert sum(window.used for window in found.windows) == 108 + 34
    assert sum(window.refused for window in found.windows) == 1


async def test_events_leave_together_and_all_into_one_partition(server: EventHubsServer) -> None:
    async with sender(server.connection_string) as usage:
        call(usage)
        call(usage)
        await until(lambda: usage.sent == 4, "the first message")
        for _ in range(EVENTS_PER_MESSAGE):
            call(usage)
    found = await messages(server, 2 * EVENTS_PER_MESSAGE + 4)
    assert len({partition for partition, _ in found}) == 1
    assert len(json.loads(found[0][1])) == 4
    assert max(len(json.loads(body)) for _, body in found) == EVENTS_PER_MESSAGE
    assert usage.sent == 2 * EVENTS_PER_MESSAGE + 4


async def test_a_hub_that_is_away_costs_events_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = (
        f"Endpoint=sb://127.0.0.1:{free_port()};SharedAccessKeyName=any;SharedAccessKey=any;"
        "UseDevelopmentEmulator=true;"
    )
    with caplog.at_level(logging.WARNING, logger="examples.usage_events"):
        async with sender(away) as usage:
            call(usage)
            await until(lambda: "2 usage events were lost" in caplog.text, "the loss")
            call(usage)
    assert usage.sent == 0
