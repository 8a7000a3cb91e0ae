"""The hubs: keys meet where Azure would have them meet, and a batch stays until it was handled."""

import asyncio
from itertools import count

from benchmarks.control.hubs import MemoryHubs, Partition
from local.event_hubs.partition_key import partition_for_key
from local.virtual_time import EPOCH, in_virtual_time
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER, Outgoing


def partition(hubs: MemoryHubs, hub: str, number: int) -> Partition:
    return next(p for p in hubs.all_partitions() if (p.hub, p.number) == (hub, number))


@in_virtual_time
async def test_a_key_goes_to_the_partition_that_azure_would_choose() -> None:
    hubs = MemoryHubs(count=8, backlogs={})
    await hubs.publish(REQUESTS_LATER, [Outgoing(b"event", key="some request")])
    at = partition_for_key("some request", 8)
    [event] = await partition(hubs, REQUESTS_LATER, at).peek(100)
    assert event.raw == b"event"
    assert event.enqueued_at > EPOCH
    assert hubs.published[REQUESTS_LATER] == 1


@in_virtual_time
async def test_a_batch_comes_again_until_it_was_handled() -> None:
    hubs = MemoryHubs(count=1, backlogs={})
    await hubs.publish(REQUESTS, [Outgoing(bytes([n]), partition="0") for n in range(5)])
    only = partition(hubs, REQUESTS, 0)
    assert [e.raw for e in await only.peek(2)] == [b"\x00", b"\x01"]
    assert [e.sequence_number for e in await only.peek(2)] == [0, 1]
    only.done(2)
    assert [e.raw for e in await only.peek(100)] == [b"\x02", b"\x03", b"\x04"]


@in_virtual_time
async def test_who_finds_nothing_waits_until_something_comes() -> None:
    only = Partition(REQUESTS, 0)
    waiting = asyncio.create_task(only.peek(10))
    await asyncio.sleep(3600)
    assert not waiting.done()
    only.put(b"at last")
    assert [e.raw for e in await waiting] == [b"at last"]


@in_virtual_time
async def test_a_backlog_does_not_end() -> None:
    only = Partition(REQUESTS, 0, (b"%d" % number for number in count()))
    for _ in range(50):
        only.done(len(await only.peek(100)))
    [event] = await only.peek(1)
    assert event.raw == b"5000"
