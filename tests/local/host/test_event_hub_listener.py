"""When batches run, and when they are checkpointed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.eventhub import EventData

from local.host.bindings import EventHubTrigger
from local.host.event_hub_listener import CLOSE_SECONDS, EventHubListener
from local.host.host_json import EventHubsOptions
from local.virtual_time import in_virtual_time
from ptu_optimizer.background import WITHIN_SECONDS
from tests.local.host.fakes import FakeConsumer, FakeFunction, FakePartition, received


class Harness:
    """A listener with a function and partitions under the test's control."""

    def __init__(
        self, *, function: FakeFunction | None = None, many: bool = True, **options: Any
    ) -> None:
        self.now = 0.0
        self.function = function or FakeFunction()
        self.consumer = FakeConsumer()
        self._many, self._options = many, options
        self.listener = self.listener_of(self.consumer)
        self.partition = FakePartition()

    def listener_of(self, consumer: FakeConsumer) -> EventHubListener:
        return EventHubListener(
            function="f",
            trigger=EventHubTrigger(
                name="events",
                hub="requests",
                connection="C",
                consumer_group="$Default",
                many=self._many,
                binary=False,
            ),
            options=EventHubsOptions(**self._options),
            consumer=consumer,
            invoke=self.function.invoke,
            monotonic=lambda: self.now,
        )

    async def owned(self) -> FakePartition:
        await self.listener.on_partition_initialize(self.partition)
        return self.partition

    async def batch(self, *numbers: int) -> None:
        await self.listener.on_batch(self.partition, events(*numbers))

    def sizes(self) -> list[int]:
        return [len(data.data) for data in self.function.inputs]


def events(*numbers: int) -> list[EventData]:
    return [received(number, b"body") for number in numbers]


async def turns() -> None:
    """Let everything that can run, run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_batch_is_checkpointed_after_its_function_has_ended() -> None:
    harness = Harness(function=FakeFunction(through=False))
    partition = await harness.owned()
    running = asyncio.create_task(harness.batch(1, 2, 3))
    await turns()
    assert (harness.sizes(), partition.checkpoints) == ([3], [])
    harness.function.gate.set()
    await running
    assert partition.checkpoints == [3]


async def test_a_failed_batch_is_checkpointed_too() -> None:
    harness = Harness(function=FakeFunction(succeeds=False))
    partition = await harness.owned()
    await harness.batch(1, 2)
    assert partition.checkpoints == [2]


async def test_a_batch_that_ends_while_stopping_is_not_checkpointed() -> None:
    harness = Harness(function=FakeFunction(through=False))
    partition = await harness.owned()
    running = asyncio.create_task(harness.batch(1))
    await turns()
    harness.listener.quiesce()
    idle = asyncio.create_task(harness.listener.idle())
    await turns()
    assert not idle.done()
    harness.function.gate.set()
    await asyncio.gather(running, idle)
    assert partition.checkpoints == []


async def test_nothing_new_runs_while_stopping() -> None:
    harness = Harness()
    partition = await harness.owned()
    harness.listener.quiesce()
    await harness.batch(1)
    assert (harness.sizes(), partition.checkpoints) == ([], [])


async def test_a_batch_that_ends_after_the_partition_was_lost_is_not_checkpointed() -> None:
    harness = Harness(function=FakeFunction(through=False))
    partition = await harness.owned()
    running = asyncio.create_task(harness.batch(1))
    await turns()
    await harness.listener.on_partition_close(partition, "OWNERSHIP_LOST")
    harness.function.gate.set()
    await running
    assert partition.checkpoints == []


async def test_a_cancelled_batch_runs_on_and_the_partitions_next_batch_waits_for_it() -> None:
    harness = Harness(function=FakeFunction(through=False))
    partition = await harness.owned()
    first = asyncio.create_task(harness.batch(1))
    await turns()
    first.cancel()
    await asyncio.wait([first])
    await harness.owned()
    second = asyncio.create_task(harness.batch(1))
    await turns()
    assert len(harness.sizes()) == 1
    harness.function.gate.set()
    await second
    assert harness.function.most_at_once == 1
    assert (harness.sizes(), partition.checkpoints) == ([1, 1], [1])


async def test_partitions_run_side_by_side() -> None:
    harness = Harness(function=FakeFunction(through=False))
    others = [FakePartition(str(number)) for number in range(3)]
    for partition in others:
        await harness.listener.on_partition_initialize(partition)
    runs = [
        asyncio.create_task(harness.listener.on_batch(partition, events(1))) for partition in others
    ]
    await turns()
    assert harness.function.most_at_once == 3
    assert harness.listener.partitions == ["0", "1", "2"]
    harness.function.gate.set()
    await asyncio.gather(*runs)


async def test_every_nth_batch_is_checkpointed() -> None:
    harness = Harness(checkpoint_every=3)
    partition = await harness.owned()
    for number in range(1, 8):
        await harness.batch(number)
    assert partition.checkpoints == [3, 6]


async def test_a_checkpoint_that_cannot_be_written_does_not_stop_the_partition() -> None:
    harness = Harness()
    partition = await harness.owned()
    partition.failing = True
    await harness.batch(1)
    partition.failing = False
    await harness.batch(2)
    assert partition.checkpoints == [2]


async def test_with_cardinality_one_events_run_one_by_one_and_are_checkpointed_together() -> None:
    harness = Harness(many=False)
    partition = await harness.owned()
    await harness.batch(1, 2, 3)
    assert [data.data_type for data in harness.function.inputs] == ["string"] * 3
    assert partition.checkpoints == [3]


async def test_with_cardinality_one_stopping_ends_the_batch_between_two_events() -> None:
    harness = Harness(many=False)
    partition = await harness.owned()

    async def stop() -> None:
        harness.listener.quiesce()

    harness.function.during = stop
    await harness.batch(1, 2, 3)
    assert (len(harness.function.inputs), partition.checkpoints) == (1, [])


async def test_a_minimum_batch_is_gathered() -> None:
    harness = Harness(min_batch=5, max_batch=6, max_wait_seconds=60)
    partition = await harness.owned()
    await harness.batch(1, 2)
    assert (harness.sizes(), partition.checkpoints) == ([], [])
    await harness.batch(3, 4, 5, 6, 7)
    assert (harness.sizes(), partition.checkpoints) == ([6], [6])


async def test_a_minimum_batch_waits_no_longer_than_it_may() -> None:
    harness = Harness(min_batch=5, max_wait_seconds=60)
    partition = await harness.owned()
    await harness.batch(1)
    harness.now = 59
    await harness.batch()
    assert harness.sizes() == []
    harness.now = 60
    await harness.batch()
    assert (harness.sizes(), partition.checkpoints) == ([1], [1])


@pytest.mark.parametrize(
    ("options", "position"),
    [
        pytest.param({}, "-1", id="from the start"),
        pytest.param({"initial_offset": "fromEnd"}, "@latest", id="from the end"),
    ],
)
async def test_a_partition_without_checkpoint_begins_where_host_json_says(
    options: dict[str, Any], position: str
) -> None:
    harness = Harness(**options)
    harness.listener.start()
    await turns()
    assert harness.consumer.options["starting_position"] == position
    assert harness.consumer.options["max_wait_time"] is None
    await harness.listener.close()


async def test_an_error_that_repeats_is_logged_once_in_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    harness = Harness()
    for second in range(61):
        harness.now = second
        await harness.listener.on_error(None, OSError("refused"))
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 3


@in_virtual_time
async def test_receiving_begins_again_if_the_sdk_ends_it_by_itself() -> None:
    class Ending(FakeConsumer):
        begun = 0

        async def receive_batch(self, on_event_batch: Any, **options: Any) -> None:
            self.begun += 1
            if self.begun == 1:
                raise asyncio.CancelledError("an inner call was cancelled")
            await super().receive_batch(on_event_batch, **options)

    harness = Harness()
    harness.listener = harness.listener_of(consumer := Ending())
    harness.listener.start()
    await asyncio.sleep(10)
    await harness.listener.close()
    assert consumer.begun == 2, "and not again when it was closed"


@in_virtual_time
async def test_a_client_that_never_ends_costs_seconds_only() -> None:
    class Hanging(FakeConsumer):
        async def close(self) -> None:
            await asyncio.sleep(1e6)

    harness = Harness()
    harness.listener = harness.listener_of(Hanging())
    harness.listener.start()
    await asyncio.sleep(1)
    await harness.listener.close()
    assert asyncio.get_running_loop().time() <= 1 + CLOSE_SECONDS + WITHIN_SECONDS
