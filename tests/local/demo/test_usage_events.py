"""The demo's interactive calls tell of themselves as a gateway would, on a real hub."""

import asyncio
import json

import aiohttp
from azure.eventhub.aio import EventHubProducerClient

from examples.usage_events import UsageSender
from local.demo.interactive import InteractiveTraffic
from local.event_hubs import EventHubsServer
from local.ptu.config import DeploymentConfig, PtuServerConfig
from local.ptu.latency import ZERO_LATENCY
from local.ptu.server import PtuServer
from local.traffic.trace import Call
from ptu_optimizer.capacity.signals.usage_events import UsageEvents, decode
from ptu_optimizer.capacity.work import known_models
from ptu_optimizer.ports.hubs import USAGE
from tests.support.hubs import Message, read_hub
from tests.support.polling import until

MODEL = "gpt-4.1"
DEPLOYMENT = DeploymentConfig.from_dict({"name": "ptu", "model": MODEL, "ptus": 600})


async def test_what_is_told_of_interactive_calls_adds_up_to_what_the_ptu_has_served() -> None:
    config = PtuServerConfig(deployments=(DEPLOYMENT,)).with_latency(ZERO_LATENCY)
    async with (
        PtuServer(config, port=0) as ptu,
        EventHubsServer(hubs={USAGE: 1}) as hubs,
        aiohttp.ClientSession() as session,
    ):
        one_refusal = {"deployment": "ptu", "count": 1, "status": 429, "retry_after_ms": 10}
        async with session.post(f"{ptu.url}/_ptu/faults", json=one_refusal) as answer:
            assert answer.status == 200
        producer = EventHubProducerClient.from_connection_string(
            hubs.connection_string, eventhub_name=USAGE
        )
        async with UsageSender(producer) as usage:
            traffic = InteractiveTraffic(
                session=session,
                url=ptu.url,
                deployment="ptu",
                key="local",
                calls=[Call(0.0, 100, 10), Call(0.02, 50, 5), Call(0.04, 30, 3)],
                seconds=60,
                usage=usage,
            )
            playing = asyncio.create_task(traffic.run())
            await until(lambda: usage.sent == 6, "the events of three calls")
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)

        def all_there(found: list[Message]) -> bool:
            return sum(len(json.loads(body)) for _, body in found) == 6

        bodies = [
            body for _, body in await read_hub(hubs.connection_string, USAGE, enough=all_there)
        ]
    now = max(event.epoch for event in decode(bodies[-1]) if not isinstance(event, str))
    events = UsageEvents({"ptu": known_models()[MODEL]})
    (found,), _ = events.aggregate(bodies, record_id="r", source="s", now=now)
    served = 50 + 4 * 5 + 30 + 4 * 3
    assert sum(window.net for window in found.windows) == served
    assert sum(window.used for window in found.windows) == served
    assert sum(window.refused for window in found.windows) == 1
