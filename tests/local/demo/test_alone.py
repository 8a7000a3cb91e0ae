"""What interactive users would have felt without the batch, against the deployments themselves."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from local.demo.alone import refused_alone
from local.demo.interactive import InteractiveTraffic
from local.demo.truth import PtuTruth
from local.ptu import PtuDeployment
from local.ptu.calls import Admitted, Traffic
from local.ptu.config import DeploymentConfig, PtuServerConfig
from local.ptu.latency import ZERO_LATENCY
from local.ptu.server import PtuServer
from local.traffic.trace import Call


def deployment() -> PtuDeployment:
    """R = 100 work a second and full at 1,000; an output token costs 4."""
    return PtuDeployment(ptus=2, input_tpm_per_ptu=3_000, output_ratio=4, window_seconds=10)


@pytest.mark.parametrize(
    ("calls", "refused"),
    [
        pytest.param([], 0, id="nobody calls"),
        pytest.param([Call(0, 999, 0), Call(0, 1, 0)], 0, id="just below the ceiling"),
        pytest.param([Call(0, 1_000, 0), Call(0, 1, 0)], 1, id="at the ceiling"),
        pytest.param([Call(0, 200, 200), Call(0, 1, 0)], 1, id="output costs its ratio"),
        pytest.param([Call(0, 1_100, 0), Call(1, 1, 0)], 1, id="not yet below the ceiling"),
        pytest.param([Call(0, 1_100, 0), Call(1.1, 1, 0)], 0, id="just below it again"),
        pytest.param(
            [Call(0, 2_000, 0), Call(5, 900, 0), Call(10.5, 10, 0)], 1, id="a refusal adds nothing"
        ),
    ],
)
def test_calls_are_refused_as_a_deployment_of_their_own_would(
    calls: list[Call], refused: int
) -> None:
    assert refused_alone(calls, deployment()) == refused


def test_the_batch_that_was_there_is_not_in_it() -> None:
    shared = deployment()
    filling = shared.arrive(now=0.0, prompt_tokens=1_000, traffic=Traffic.BATCH)
    assert isinstance(filling, Admitted)
    calls = [Call(0.0, 10, 0), Call(1.0, 10, 0)]
    for call in calls:
        shared.arrive(now=call.at, prompt_tokens=call.prompt_tokens, max_tokens=call.output_tokens)
    assert shared.counters.interactive.refused == 2
    assert refused_alone(calls, deployment()) == 0


async def test_without_a_batch_it_is_what_the_ptu_refused() -> None:
    # 60,000 tokens on a deployment that is full at 25,000: refused for the 14 s after the first
    calls = [Call(0.0, 60_000, 0), Call(0.01, 10, 1)]
    config = PtuServerConfig(
        deployments=(DeploymentConfig.from_dict({"name": "ptu", "model": "gpt-4.1", "ptus": 50}),)
    ).with_latency(ZERO_LATENCY)
    async with PtuServer(config, port=0) as server, aiohttp.ClientSession() as session:
        truth = PtuTruth(session=session, url=server.url, deployment="ptu")
        traffic = InteractiveTraffic(
            session=session, url=server.url, deployment="ptu", key="local", calls=calls, seconds=0.1
        )
        playing = asyncio.create_task(traffic.run())
        books = await truth.books()
        while books.interactive_arrived < 5:
            await asyncio.sleep(0.01)
            books = await truth.books()
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        another = await truth.another()
        server.simulation.configure({"ptus": 100}, now=server.now())
        larger = await truth.another()
    assert books.interactive_refused == books.interactive_arrived - 1
    arrived = traffic.sent[: books.interactive_arrived]
    assert refused_alone(arrived, another) == books.interactive_refused
    assert another.bucket.full == pytest.approx(25_000)
    assert another.bucket.work_per_second == pytest.approx(2_500)
    assert another.output_ratio == 4
    assert larger.bucket.full == pytest.approx(50_000), "of the size that is in force"
    assert [call.at for call in arrived] == sorted(call.at for call in arrived)
    assert arrived[2].at == pytest.approx(0.1, abs=0.09), "the second round follows the first"
