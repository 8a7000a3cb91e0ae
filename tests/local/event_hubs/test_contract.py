"""The contract: what azure-eventhub, unmodified, may expect of Event Hubs.

Nothing here looks inside the server, so the same tests can be run once against Azure or against
Microsoft's emulator: see the `hub` fixture. A hub may hold older events; each test starts where
the partitions end.
"""

from __future__ import annotations

import asyncio
import datetime
import threading
import time
import uuid
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import AuthenticationError, EventDataSendError, EventHubError

from local.event_hubs.partition_key import partition_for_key
from tests.local.event_hubs.support import (
    DEADLINE_SECONDS,
    FakeCheckpointStore,
    HubUnderTest,
    body_of,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_RETRY: dict[str, Any] = {"retry_total": 0}


def bodies(count: int, prefix: str = "event") -> list[bytes]:
    return [f"{prefix}-{index}".encode() for index in range(count)]


# -- publishing and receiving


async def test_events_of_a_partition_are_received_in_the_order_they_were_sent(
    hub: HubUnderTest,
) -> None:
    ends = await hub.ends()
    await hub.publish(bodies(50), partition="1")
    async with hub.receiving(
        partition_id="1", starting_position=ends, prefetch=7, max_batch_size=5
    ) as received:
        events = await received.count(50)
    assert received.bodies() == bodies(50)
    numbers = [event.sequence_number or 0 for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + 50))
    offsets = [int(event.offset or -1) for event in events]
    assert offsets == sorted(set(offsets))


async def test_a_key_goes_to_the_partition_that_its_hash_names(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    keys = [f"group-{index}" for index in range(12)]
    for key in keys:
        await hub.publish([key.encode()] * 2, key=key)
    async with hub.receiving(starting_position=ends) as received:
        await received.count(2 * len(keys))
    for partition, events in received.by_partition.items():
        for event in events:
            assert body_of(event) == event.partition_key
            assert int(partition) == partition_for_key(body_of(event).decode(), len(ends))
    assert len(received.by_partition) > 1


async def test_without_a_key_batches_are_spread_over_the_partitions(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    for _ in range(len(ends) * 4):
        await hub.publish([b"x"])
    grown = await hub.ends()
    assert sum(grown[partition] != ends[partition] for partition in ends) > 1


async def test_what_the_sender_says_of_an_event_arrives_and_the_service_adds_its_own(
    hub: HubUnderTest,
) -> None:
    ends = await hub.ends()
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    event = EventData(b"\x00\xff\x10")
    event.properties = {"text": "ü", "number": 2**30, "real": 1.5, "flag": True}
    event.message_id, event.correlation_id, event.content_type = "m1", "c1", "application/json"
    await hub.shared_producer().send_event(event, partition_id="0")
    async with hub.receiving(partition_id="0", starting_position=ends) as received:
        (arrived,) = await received.count(1)
    assert body_of(arrived) == b"\x00\xff\x10"
    assert arrived.properties == {
        b"text": "ü".encode(), b"number": 2**30, b"real": 1.5, b"flag": True
    }  # fmt: skip
    assert (arrived.message_id, arrived.correlation_id) == ("m1", "c1")
    assert arrived.content_type == "application/json"
    assert arrived.enqueued_time is not None
    assert arrived.enqueued_time > before
    assert set(arrived.system_properties) >= {
        b"x-opt-sequence-number", b"x-opt-offset", b"x-opt-enqueued-time"
    }  # fmt: skip


async def test_large_events_and_many_small_ones_all_arrive(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    large = [bytes([index]) * 1_000_000 for index in range(3)]
    await hub.publish(large, partition="0")
    await hub.publish(bodies(2_000), partition="0")
    async with hub.receiving(partition_id="0", starting_position=ends) as received:
        await received.count(2_003)
    assert received.bodies() == large + bodies(2_000)


async def test_the_buffered_producer_sends_everything_and_says_so(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    acknowledged: list[EventData] = []
    failed: list[Exception] = []

    async def on_success(events: list[EventData], partition: str | None) -> None:
        acknowledged.extend(events)

    async def on_error(events: list[EventData], partition: str | None, error: Exception) -> None:
        failed.append(error)

    async with hub.producer(
        buffered_mode=True, on_success=on_success, on_error=on_error, max_wait_time=0.2
    ) as producer:
        for body in bodies(300):
            await producer.send_event(EventData(body))
        await producer.flush()
    async with hub.receiving(starting_position=ends) as received:
        await received.count(300)
    assert sorted(received.bodies()) == sorted(bodies(300))
    assert (len(acknowledged), failed) == (300, [])


async def test_the_synchronous_clients_work_too(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    options: dict[str, Any] = {"eventhub_name": hub.name}
    received: list[bytes] = []

    def publish_and_receive() -> None:
        with EventHubProducerClient.from_connection_string(
            hub.connection_string, **options
        ) as producer:
            producer.send_batch([EventData(body) for body in bodies(20)])
        consumer = EventHubConsumerClient.from_connection_string(
            hub.connection_string, "$Default", load_balancing_interval=0.2, **options
        )

        def receive() -> None:
            consumer.receive_batch(
                lambda _, events: received.extend(map(body_of, events)),
                starting_position=ends,
                max_wait_time=0.2,
            )

        thread = threading.Thread(target=receive)
        thread.start()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(received) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        consumer.close()
        thread.join(DEADLINE_SECONDS)

    await asyncio.to_thread(publish_and_receive)
    assert received == bodies(20)


# -- where to start


async def test_a_receiver_starts_where_it_is_told(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    await hub.publish(bodies(6, "old"), partition="0")
    await asyncio.sleep(0.02)  # enqueued times are in milliseconds; this is the border between two
    async with hub.receiving(partition_id="0", starting_position=ends) as received:
        events = list(await received.count(6))
    await hub.publish(bodies(2, "new"), partition="0")
    border = events[-1].enqueued_time
    third = events[2]

    async def first_body(position: Any, inclusive: bool, group: str) -> bytes:
        async with hub.receiving(
            partition_id="0",
            starting_position=position,
            starting_position_inclusive=inclusive,
            group=group,
        ) as received:
            await received.count(1)
        return received.bodies()[0]

    found = await asyncio.gather(
        first_body(third.offset, False, "$Default"),
        first_body(third.offset, True, "$Default"),
        first_body(third.sequence_number, False, "$Default"),
        first_body(third.sequence_number, True, "audit"),
        first_body(border, False, "audit"),
    )
    assert list(found) == [b"old-3", b"old-2", b"old-3", b"old-2", b"new-0"]


async def test_latest_means_what_is_sent_from_now_on(hub: HubUnderTest) -> None:
    await hub.publish([b"before"], partition="0")
    marker = uuid.uuid4().hex.encode()
    async with hub.receiving(partition_id="0", starting_position="@latest") as received:
        # The SDK does not say when it has attached: send until something is seen.
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not received.events and time.monotonic() < deadline:
            await hub.publish([marker], partition="0")
            await asyncio.sleep(0.05)
    assert set(received.bodies()) == {marker}


# -- properties


async def test_a_hub_describes_itself_and_its_partitions(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    producer = hub.shared_producer()
    await producer.send_batch([EventData("one"), EventData("two")], partition_id="2")
    properties, partition = await asyncio.gather(
        producer.get_eventhub_properties(), producer.get_partition_properties("2")
    )
    assert properties["eventhub_name"] == hub.name
    assert properties["partition_ids"] == sorted(ends, key=int)
    assert properties["created_at"] <= datetime.datetime.now(datetime.UTC)
    assert partition["id"] == "2"
    assert partition["last_enqueued_sequence_number"] == int(ends["2"]) + 2
    assert partition["beginning_sequence_number"] <= partition["last_enqueued_sequence_number"]
    assert not partition["is_empty"]
    assert int(partition["last_enqueued_offset"]) >= 0
    age = datetime.datetime.now(datetime.UTC) - partition["last_enqueued_time_utc"]
    assert abs(age) < datetime.timedelta(minutes=1)


async def test_a_receiver_may_track_the_last_enqueued_event(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    await hub.publish(bodies(7), partition="0")
    async with hub.receiving(tracks=True, partition_id="0", starting_position=ends) as received:
        events = await received.count(7)
    last = received.last_enqueued[-1]
    assert last["sequence_number"] == events[-1].sequence_number
    assert last["offset"] == events[-1].offset
    assert last["enqueued_time"] == events[-1].enqueued_time
    assert last["retrieval_time"] is not None


# -- sharing partitions


async def test_two_consumers_share_the_partitions_and_resume_after_the_checkpoints(
    hub: HubUnderTest,
) -> None:
    ends = await hub.ends()
    store = FakeCheckpointStore()
    for key in "abcdefgh":
        await hub.publish(bodies(10, key), key=key)
    options: dict[str, Any] = {"starting_position": ends, "checkpoint": True}
    async with hub.receiving(client={"checkpoint_store": store}, **options) as first:
        await first.count(80)
        async with hub.receiving(client={"checkpoint_store": store}, **options) as second:
            half = len(ends) // 2
            await until(
                lambda: len(first.owned) == half and len(second.owned) == len(ends) - half,
                "the partitions to be shared",
            )
            assert not first.owned & second.owned
    for key in "abcdefgh":
        await hub.publish(bodies(3, f"more-{key}"), key=key)
    async with hub.receiving(client={"checkpoint_store": store}, **options) as third:
        await third.count(24)
    expected = {body for key in "abcdefgh" for body in bodies(3, f"more-{key}")}
    assert set(third.bodies()) == expected


async def test_consumer_groups_do_not_disturb_each_other(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    await hub.publish(bodies(3), partition="0")
    options: dict[str, Any] = {
        "partition_id": "0", "starting_position": ends, "owner_level": 1
    }  # fmt: skip
    async with (
        hub.receiving(**options) as default,
        hub.receiving(group="audit", **options) as audit,
    ):
        await default.count(3)
        await audit.count(3)
    assert (default.errors, audit.errors) == ([], [])


async def test_a_higher_owner_level_takes_a_partition_over(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    await hub.publish(bodies(3), partition="0")
    options: dict[str, Any] = {"partition_id": "0", "starting_position": ends}
    async with hub.receiving(client=NO_RETRY, owner_level=1, **options) as first:
        await first.count(3)
        async with hub.receiving(client=NO_RETRY, owner_level=2, **options) as second:
            await second.count(3)
            await until(lambda: bool(first.errors), "the first receiver to be told")
            assert "link:stolen" in str(first.errors[0])
            assert "higher epoch of '2'" in str(first.errors[0])


async def test_a_lower_owner_level_or_none_is_refused(hub: HubUnderTest) -> None:
    ends = await hub.ends()
    await hub.publish(bodies(1), partition="0")
    options: dict[str, Any] = {"partition_id": "0", "starting_position": ends}
    async with hub.receiving(client=NO_RETRY, owner_level=2, **options) as holder:
        await holder.count(1)
        async with (
            hub.receiving(client=NO_RETRY, owner_level=1, **options) as lower,
            hub.receiving(client=NO_RETRY, **options) as without,
        ):
            await until(lambda: bool(lower.errors and without.errors), "both to be told")
        assert "higher epoch '2' already exists" in str(lower.errors[0])
        assert "non-epoch receiver is not allowed" in str(without.errors[0])
        assert not lower.events + without.events
        assert not holder.errors


# -- what is refused


async def test_a_wrong_key_is_refused(hub: HubUnderTest) -> None:
    parts = hub.connection_string.split(";")
    wrong = ";".join(
        "SharedAccessKey=V1JPTkc=" if part.startswith("SharedAccessKey=") else part
        for part in parts
    )
    with pytest.raises(AuthenticationError, match="InvalidSignature"):
        await send_one(HubUnderTest(wrong, hub.name))


async def test_a_hub_that_does_not_exist_is_refused(hub: HubUnderTest) -> None:
    missing = HubUnderTest(hub.connection_string, "no-such-hub")
    with pytest.raises(EventHubError, match="could not be found"):
        await send_one(missing)
    async with missing.producer(**NO_RETRY) as producer:
        with pytest.raises(EventHubError, match="404"):
            await producer.get_eventhub_properties()


async def send_one(hub: HubUnderTest) -> None:
    async with hub.producer(**NO_RETRY) as producer:
        await producer.send_batch([EventData("x")])


async def test_a_partition_that_does_not_exist_is_refused(hub: HubUnderTest) -> None:
    async with hub.producer(**NO_RETRY) as producer:
        with pytest.raises(EventHubError, match="400"):
            await producer.get_partition_properties("77")
        with pytest.raises(EventHubError, match="artition"):
            await producer.send_batch([EventData("x")], partition_id="77")


async def test_an_event_over_one_megabyte_is_refused_and_the_link_lives_on(
    hub: HubUnderTest,
) -> None:
    async with hub.producer(**NO_RETRY) as producer:
        with pytest.raises(EventDataSendError, match=r"exceeds the limit \(\d+ bytes\)"):
            await producer.send_event(EventData(b"x" * 1_100_000))
        await producer.send_event(EventData(b"x" * 1_000_000))


async def test_the_sdk_learns_how_large_a_batch_may_be(hub: HubUnderTest) -> None:
    batch = await hub.shared_producer().create_batch()
    assert batch.max_size_in_bytes == 1_048_576
    with pytest.raises(ValueError, match="size limit"):
        batch.add(EventData(b"x" * 1_048_576))
