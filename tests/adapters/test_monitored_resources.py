"""The metrics of several resources: each backend's minutes under its own name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ptu_optimizer.adapters.monitored_resources import MonitoredResources
from ptu_optimizer.backends.backend import Resource
from ptu_optimizer.capacity.signals.minute import Minute
from ptu_optimizer.errors import DependencyUnavailable
from tests.support.backends import RESOURCE_ID, WEST, backend

EAST = replace(
    WEST,
    endpoint="https://east.openai.azure.com",
    resource_id=RESOURCE_ID[:-4] + "east",
    monitor_endpoint="https://eastus.metrics.monitor.azure.com",
)
BACKENDS = (
    backend("west", deployment="gpt-4.1", ptus=50),
    backend("east", deployment="GPT-4.1", ptus=50, resource=EAST),
    backend("small", deployment="gpt-mini", ptus=10),
)


class Monitor:
    """Tells one minute of each deployment that it is asked for."""

    def __init__(self, resource: Resource, deployments: Sequence[str], *, away: bool) -> None:
        self.resource = resource
        self.deployments = list(deployments)
        self.away = away
        self.closed = False

    async def minutes(self) -> list[Minute]:
        if self.away:
            raise DependencyUnavailable("Azure Monitor", "403")
        load = 0.25 if self.resource is WEST else 0.75
        return [Minute(deployment=d, ends_at=60.0, utilization=load) for d in self.deployments]

    async def close(self) -> None:
        self.closed = True


class Region:
    """Makes the monitors, and keeps them."""

    def __init__(self, *, away: Sequence[Resource] = ()) -> None:
        self.made: list[Monitor] = []
        self._away = away

    def monitor_of(self, resource: Resource, deployments: Sequence[str]) -> Monitor:
        self.made.append(Monitor(resource, deployments, away=resource in self._away))
        return self.made[-1]


async def test_two_resources_with_a_deployment_of_one_name_stay_apart() -> None:
    region = Region()
    found = await MonitoredResources(BACKENDS, monitor_of=region.monitor_of).minutes()
    assert {one.deployment: one.utilization for one in found} == {
        "west": 0.25,
        "small": 0.25,
        "east": 0.75,
    }
    assert len(region.made) == 2, "one reader a resource"


async def test_ways_in_that_differ_are_still_one_resource_to_read() -> None:
    region = Region()
    other_way = replace(WEST, api_key="k", api_version="v1")
    MonitoredResources(
        [*BACKENDS[:1], backend("other", ptus=5, resource=other_way)], monitor_of=region.monitor_of
    )
    assert [sorted(one.deployments) for one in region.made] == [["gpt-4.1", "other"]]


async def test_a_resource_that_cannot_be_read_costs_the_others_nothing() -> None:
    found = await MonitoredResources(BACKENDS, monitor_of=Region(away=[EAST]).monitor_of).minutes()
    assert {one.deployment for one in found} == {"west", "small"}


async def test_if_none_can_be_read_that_is_told_with_the_reasons() -> None:
    monitor = MonitoredResources(BACKENDS, monitor_of=Region(away=[EAST, WEST]).monitor_of)
    with pytest.raises(DependencyUnavailable) as raised:
        await monitor.minutes()
    assert "east: 403" in raised.value.reason
    assert "west" in raised.value.reason


async def test_closing_closes_every_reader() -> None:
    region = Region()
    await MonitoredResources(BACKENDS, monitor_of=region.monitor_of).close()
    assert all(one.closed for one in region.made)
