"""A hub's batches: repeated until dealt with, checkpointed only then, and never after the partition
went elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.eventhub import EventData

from ptu_consumer.reader import SAME_ERROR_SECONDS, HubReader, HubUnreadable
from ptu_consumer.work import Feed, Written
from ptu_optimizer.ports.hubs import Delivery
from tests.support.polling import until

RETRY_SECONDS = 0.01


class FakePartition:
    def __init__(self, partition_id: str = "0", *, fails: bool = False) -> None:
        self.partition_id = partition_id
        self.checkpoints: list[EventData | None] = []
        self._fails = fails

    async def update_checkpoint(self, event: EventData | None = None) -> None:
        if self._fails:
            raise OSError("storage is away")
        self.checkpoints.append(event)


class FakeConsumer:
    """A consumer whose batches the test hands over itself."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self._error = error
        self.options: dict[str, Any] = {}

    async def get_partition_ids(self) -> list[str]:
        if self._error is not None:
            raise self._error
        return ["0", "1"]

    async def receive_batch(
        self, on_event_batch: Callable[[Any, list[EventData]], Awaitable[None]], **options: Any
    ) -> None:
        self.options = options

    async def close(self) -> None:
        return None


class Dealing:
    """What is done with batches: fails as often as it is told to, and can be held up."""

    def __init__(self, *, failures: int = 0, write_failures: int = 0) -> None:
        self.failures, self.write_failures = failures, write_failures
        self.seen: list[Delivery] = []
        self.written: list[Written] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def deal(self, delivery: Delivery) -> Written:
        self.seen.append(delivery)
        await self.may_end.wait()
        if self.failures:
            self.failures -= 1
            raise RuntimeError("no place for an outcome")
        return [("groups", [{"id": "position"}])]

    async def write(self, written: Written) -> None:
        if self.write_failures:
            self.write_failures -= 1
            raise RuntimeError("no store")
        self.written.append(written)


def reader_of(
    dealing: Dealing,
    *,
    stopping: asyncio.Event | None = None,
    consumer: FakeConsumer | None = None,
    retries: int = -1,
    monotonic: Callable[[], float] = lambda: 0.0,
) -> HubReader:
    return HubReader(
        feed=Feed(hub="requests", deal=dealing.deal, retries=retries, retry_seconds=RETRY_SECONDS),
        consumer=consumer or FakeConsumer(),
        write=dealing.write,
        stopping=stopping or asyncio.Event(),
        monotonic=monotonic,
    )


async def owned(reader: HubReader, partition: FakePartition) -> FakePartition:
    await reader.on_partition_initialize(partition)
    return partition


def batch(*bodies: bytes) -> list[EventData]:
    return [EventData(body) for body in bodies]


async def test_a_batch_is_dealt_with_written_and_then_checkpointed_at_its_last_event() -> None:
    dealing = Dealing()
    reader = reader_of(dealing)
    partition = await owned(reader, FakePartition("3"))
    events = batch(b"one", b"two")
    await reader.on_batch(partition, events)
    (seen,) = dealing.seen
    assert (seen.hub, seen.partition) == ("requests", "3")
    assert [event.raw for event in seen.events] == [b"one", b"two"]
    assert len(dealing.written) == 1
    assert partition.checkpoints == [events[-1]]


@pytest.mark.parametrize(
    "dealing",
    [
        pytest.param({"failures": 3}, id="dealing failed"),
        pytest.param({"write_failures": 3}, id="writing failed"),
    ],
)
async def test_a_batch_that_failed_comes_again_until_it_is_dealt_with(
    dealing: dict[str, int],
) -> None:
    work = Dealing(**dealing)
    reader = reader_of(work)
    partition = await owned(reader, FakePartition())
    await reader.on_batch(partition, batch(b"one"))
    assert len(work.seen) == 4
    assert len(partition.checkpoints) == 1


async def test_with_limited_retries_a_batch_is_passed_by_in_the_end() -> None:
    dealing = Dealing(failures=100)
    reader = reader_of(dealing, retries=2)
    partition = await owned(reader, FakePartition())
    await reader.on_batch(partition, batch(b"one"))
    assert len(dealing.seen) == 3
    assert len(partition.checkpoints) == 1


async def test_a_checkpoint_that_cannot_be_written_does_not_hold_the_partition() -> None:
    dealing = Dealing()
    reader = reader_of(dealing)
    partition = await owned(reader, FakePartition(fails=True))
    await reader.on_batch(partition, batch(b"one"))
    await reader.on_batch(partition, batch(b"two"))
    assert len(dealing.seen) == 2


async def test_a_cancellation_from_inside_a_library_is_a_failure_like_others() -> None:
    """Else the partition would be taken for lost, and nobody would read it."""

    class Cancelled(Dealing):
        async def deal(self, delivery: Delivery) -> Written:
            written = await super().deal(delivery)
            if len(self.seen) == 1:
                raise asyncio.CancelledError("an inner call was cancelled")
            return written

    dealing = Cancelled()
    reader = reader_of(dealing)
    partition = await owned(reader, FakePartition())
    await reader.on_batch(partition, batch(b"one"))
    await reader.on_batch(partition, batch(b"two"))
    assert (len(dealing.seen), len(partition.checkpoints)) == (3, 2)


# --- losing a partition ---------------------------------------------------------------------------


async def test_a_batch_whose_partition_went_elsewhere_goes_on_and_is_not_checkpointed() -> None:
    dealing = Dealing()
    dealing.may_end.clear()
    reader = reader_of(dealing)
    partition = await owned(reader, FakePartition())
    receiving = asyncio.create_task(reader.on_batch(partition, batch(b"one")))
    await until(lambda: bool(dealing.seen), "the batch to begin")
    receiving.cancel()  # as the SDK does
    await asyncio.wait([receiving])
    await reader.on_partition_close(partition, "OWNERSHIP_LOST")
    dealing.may_end.set()
    assert await reader.drain(seconds=10)
    assert receiving.cancelled()
    assert len(dealing.written) == 1
    assert partition.checkpoints == []


async def test_a_batch_that_failed_is_not_tried_again_once_its_partition_went_elsewhere() -> None:
    dealing = Dealing(failures=100)
    dealing.may_end.clear()
    reader = reader_of(dealing)
    partition = await owned(reader, FakePartition())
    receiving = asyncio.create_task(reader.on_batch(partition, batch(b"one")))
    await until(lambda: bool(dealing.seen), "the batch to begin")
    await reader.on_partition_close(partition, "OWNERSHIP_LOST")
    dealing.may_end.set()
    await receiving
    assert len(dealing.seen) == 1
    assert partition.checkpoints == []


async def test_when_a_partition_comes_back_its_next_batch_waits_for_the_one_under_way() -> None:
    dealing = Dealing()
    dealing.may_end.clear()
    reader = reader_of(dealing)
    partition = await owned(reader, FakePartition())
    first = asyncio.create_task(reader.on_batch(partition, batch(b"one")))
    await until(lambda: bool(dealing.seen), "the batch to begin")
    first.cancel()
    await asyncio.wait([first])
    await reader.on_partition_close(partition, "OWNERSHIP_LOST")
    await owned(reader, partition)
    again = batch(b"one", b"two")
    second = asyncio.create_task(reader.on_batch(partition, again))
    for _ in range(10):  # as often as it takes a batch to begin, and more
        await asyncio.sleep(0)
    assert len(dealing.seen) == 1
    dealing.may_end.set()
    await second
    assert len(dealing.seen) == 2
    assert partition.checkpoints == [again[-1]]


async def test_batches_of_a_partition_that_is_not_owned_are_left_alone() -> None:
    dealing = Dealing()
    reader = reader_of(dealing)
    await reader.on_batch(FakePartition(), batch(b"one"))
    assert dealing.seen == []


# --- stopping -------------------------------------------------------------------------------------


async def test_after_a_stop_no_batch_is_begun() -> None:
    dealing, stopping = Dealing(), asyncio.Event()
    reader = reader_of(dealing, stopping=stopping)
    partition = await owned(reader, FakePartition())
    stopping.set()
    await reader.on_batch(partition, batch(b"one"))
    assert (dealing.seen, partition.checkpoints) == ([], [])


async def test_a_batch_that_is_dealt_with_after_a_stop_is_checkpointed() -> None:
    dealing, stopping = Dealing(), asyncio.Event()
    dealing.may_end.clear()
    reader = reader_of(dealing, stopping=stopping)
    partition = await owned(reader, FakePartition())
    receiving = asyncio.create_task(reader.on_batch(partition, batch(b"one")))
    await until(lambda: bool(dealing.seen), "the batch to begin")
    stopping.set()
    dealing.may_end.set()
    assert await reader.drain(seconds=10)
    await receiving
    assert len(partition.checkpoints) == 1


async def test_a_batch_that_fails_after_a_stop_is_left_for_the_next_consumer() -> None:
    dealing, stopping = Dealing(failures=1), asyncio.Event()
    dealing.may_end.clear()
    reader = reader_of(dealing, stopping=stopping)
    partition = await owned(reader, FakePartition())
    receiving = asyncio.create_task(reader.on_batch(partition, batch(b"one")))
    await until(lambda: bool(dealing.seen), "the batch to begin")
    stopping.set()
    dealing.may_end.set()
    await receiving
    assert (len(dealing.seen), partition.checkpoints) == (1, [])


async def test_a_batch_that_outlasts_its_grace_is_cancelled_and_not_checkpointed() -> None:
    dealing = Dealing()
    dealing.may_end.clear()
    reader = reader_of(dealing)
    partition = await owned(reader, FakePartition())
    receiving = asyncio.create_task(reader.on_batch(partition, batch(b"one")))
    await until(lambda: bool(dealing.seen), "the batch to begin")
    assert not await reader.drain(seconds=0.01)
    await receiving
    assert (dealing.written, partition.checkpoints) == ([], [])


# --- the SDK --------------------------------------------------------------------------------------


async def test_a_hub_that_cannot_be_asked_is_named() -> None:
    reader = reader_of(Dealing(), consumer=FakeConsumer(error=OSError("404")))
    with pytest.raises(HubUnreadable, match="requests cannot be read: 404"):
        await reader.run()


async def test_batches_are_as_large_as_the_hosts_and_begin_at_the_start() -> None:
    consumer = FakeConsumer()
    await reader_of(Dealing(), consumer=consumer).run()
    chosen = {name: consumer.options[name] for name in ("max_batch_size", "prefetch")}
    assert chosen == {"max_batch_size": 100, "prefetch": 100}
    assert consumer.options["starting_position"] == "-1"


async def test_receiving_begins_again_if_the_sdk_cancels_itself() -> None:
    class Cancelled(FakeConsumer):
        times = 0

        async def receive_batch(
            self, on_event_batch: Callable[[Any, list[EventData]], Awaitable[None]], **options: Any
        ) -> None:
            self.times += 1
            if self.times == 1:
                raise asyncio.CancelledError("an inner call was cancelled")

    consumer = Cancelled()
    await reader_of(Dealing(), consumer=consumer).run()
    assert consumer.times == 2


async def test_receiving_that_is_cancelled_ends() -> None:
    class Waiting(FakeConsumer):
        async def receive_batch(
            self, on_event_batch: Callable[[Any, list[EventData]], Awaitable[None]], **options: Any
        ) -> None:
            self.options = options
            await asyncio.Event().wait()

    consumer = Waiting()
    reading = asyncio.create_task(reader_of(Dealing(), consumer=consumer).run())
    await until(lambda: bool(consumer.options), "the receiving to begin")
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()


async def test_an_error_that_repeats_is_logged_once_in_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    reader = reader_of(Dealing(), monotonic=lambda: now[0])
    for moment in (0.0, 1.0, SAME_ERROR_SECONDS + 1):
        now[0] = moment
        await reader.on_error(None, OSError("no route"))
    said = [each for each in caplog.messages if "no route" in each]
    assert len(said) == 2
