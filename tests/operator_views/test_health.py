"""Readiness: each dependency by name, in bounded time, and nothing else."""

import asyncio

import pytest

from local.virtual_time import VirtualClock, in_virtual_time
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.operator_views.health import CHECK_SECONDS, Health
from ptu_optimizer.requests.id_keys import FixedIds
from ptu_optimizer.requests.ids import IdMint

IDS = FixedIds(IdMint(b"a key of this test"))


async def answers() -> None:
    await asyncio.sleep(0.1)


async def is_away() -> None:
    raise DependencyUnavailable("Cosmos DB", "connection refused")


async def hangs() -> None:
    await asyncio.sleep(3_600)


async def is_broken() -> None:
    raise ZeroDivisionError


@in_virtual_time
async def test_every_dependency_that_answers_is_ready() -> None:
    assert await Health(checks={"cosmos": answers, "blobs": answers}, ids=IDS).ready() == {
        "cosmos": True,
        "blobs": True,
    }


@in_virtual_time
async def test_what_is_away_or_hangs_is_not_ready_and_does_not_hide_the_others() -> None:
    health = Health(checks={"cosmos": is_away, "event_hubs": hangs, "blobs": answers}, ids=IDS)
    assert await health.ready() == {"cosmos": False, "event_hubs": False, "blobs": True}


@in_virtual_time
async def test_checks_run_side_by_side_within_their_limit() -> None:
    await Health(checks={str(number): hangs for number in range(5)}, ids=IDS).ready()
    assert VirtualClock().monotonic() == pytest.approx(CHECK_SECONDS)


@in_virtual_time
async def test_a_defect_of_ours_is_not_taken_for_an_outage() -> None:
    with pytest.raises(ZeroDivisionError):
        await Health(checks={"cosmos": is_broken}, ids=IDS).ready()
