"""How far the hubs have been read, and what moves a position that stands still."""

from __future__ import annotations

import logging

import orjson
import pytest

from local.virtual_time import VirtualClock, in_virtual_time
from ptu_optimizer.ports.hubs import HUBS, PartitionState
from ptu_optimizer.requests.dispatch.decoding import decode
from ptu_optimizer.requests.envelope import NudgeEvent
from ptu_optimizer.requests.ledger.timing import Timing
from ptu_optimizer.requests.sweep.watermark import LONGEST_NUDGE_PAUSE_SECONDS, Watermark
from tests.support.publishing import FakePublisher
from tests.support.stores import FakeGroups

TIMING = Timing(
    call_limit=300, write_budget=30, skew=30, hold=30, invocation_budget=120, turn_wait=6_600
)
PATIENCE = TIMING.invocation_budget + TIMING.lease + TIMING.skew


class FakeHubs:
    def __init__(self) -> None:
        self.read_up_to = dict.fromkeys(HUBS, -1)

    async def partitions(self, hub: str) -> list[PartitionState]:
        last = self.read_up_to[hub]
        return [PartitionState("0", last, is_empty=last < 0)]


class Scene:
    def __init__(self, *, failures: int = 0) -> None:
        self.clock = VirtualClock()
        self.groups = FakeGroups()
        self.hubs = FakeHubs()
        self.publisher = FakePublisher(failures=failures)
        self.watermark = Watermark(
            groups=self.groups,
            hubs=self.hubs,
            publisher=self.publisher,
            clock=self.clock,
            timing=TIMING,
        )

    def position(self, sequence_number: int, *, enqueued_at: float) -> None:
        self.groups.put(
            {
                "id": "position:requests:0",
                "bucket": "positions",
                "type": "position",
                "hub": "requests",
                "partition": "0",
                "sequence_number": sequence_number,
                "enqueued_at": enqueued_at,
            }
        )

    async def nudges_within(self, seconds: float) -> int:
        """How many nudges leave when the sweep looks every minute."""
        before = len(self.publisher.batches)
        for _ in range(int(seconds // 60)):
            await self.clock.sleep(60)
            await self.watermark.read()
        return len(self.publisher.batches) - before


@in_virtual_time
async def test_empty_hubs_have_been_read_up_to_now() -> None:
    scene = Scene()
    assert await scene.watermark.read() == scene.clock.now()


@in_virtual_time
async def test_a_partition_with_unread_events_holds_the_watermark_back() -> None:
    scene = Scene()
    scene.hubs.read_up_to["requests"] = 9
    assert await scene.watermark.read() == 0, "nobody has ever read it"
    scene.position(4, enqueued_at=123.0)
    assert await scene.watermark.read() == 123.0
    scene.position(9, enqueued_at=200.0)
    assert await scene.watermark.read() == scene.clock.now()


@in_virtual_time
async def test_a_backlog_that_moves_is_never_nudged() -> None:
    scene = Scene()
    scene.hubs.read_up_to["requests"] = 10_000
    for n in range(50):
        scene.position(n, enqueued_at=float(n))
        assert await scene.nudges_within(PATIENCE / 2) == 0


@in_virtual_time
async def test_a_position_that_stands_still_is_nudged_in_its_own_partition() -> None:
    scene = Scene()
    scene.hubs.read_up_to["requests"] = 5
    scene.position(4, enqueued_at=1.0)
    assert await scene.nudges_within(PATIENCE - 60) == 0, "an invocation may still be at work"
    assert await scene.nudges_within(180) == 1
    hub, (nudge,) = scene.publisher.batches[0]
    assert (hub, nudge.partition, nudge.key) == ("requests", "0", None)
    assert isinstance(decode(nudge.payload), NudgeEvent)
    assert "request_id" not in orjson.loads(nudge.payload)


@in_virtual_time
async def test_a_host_that_is_down_gets_one_nudge_an_hour() -> None:
    scene = Scene()
    scene.hubs.read_up_to["requests"] = 5
    first_day = await scene.nudges_within(86_400)
    assert first_day <= 24 + 5
    assert await scene.nudges_within(86_400) == 86_400 // LONGEST_NUDGE_PAUSE_SECONDS


@in_virtual_time
async def test_a_nudge_that_was_not_sent_is_sent_again_at_the_next_look() -> None:
    scene = Scene(failures=1)
    scene.hubs.read_up_to["requests"] = 5
    await scene.nudges_within(PATIENCE)
    assert await scene.nudges_within(180) == 1


@in_virtual_time
async def test_it_says_how_old_the_oldest_event_is_that_nobody_has_dealt_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    with caplog.at_level(logging.INFO):
        await scene.watermark.read()
        scene.hubs.read_up_to["requests"] = 9
        scene.position(4, enqueued_at=scene.clock.now() - 600)
        await scene.watermark.read()
    assert [r.getMessage() for r in caplog.records] == [
        "how far the hubs are read: behind_seconds=0.0",
        "how far the hubs are read: behind_seconds=600.0",
    ]
