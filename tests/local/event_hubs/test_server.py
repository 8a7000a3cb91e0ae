"""The server as a whole: its limits, its faults, and clients that are slow, idle or greedy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData
from azure.eventhub.exceptions import EventDataSendError, EventHubError

from local.event_hubs import Condition, EventHubsServer, Limits, Retention, codec
from local.event_hubs.frames import Performative
from local.event_hubs.messages import DATA
from local.serving import StartError
from tests.local.event_hubs.raw_client import (
    RawClient,
    attach_frame,
    data_of,
    error_of,
    flow_frame,
    publish,
    receive,
    transfer_frame,
)
from tests.local.event_hubs.support import Clock, HubUnderTest, until

HUB = "requests"
SOURCE = f"{HUB}/ConsumerGroups/$Default/Partitions/0"
NO_RETRY: dict[str, Any] = {"retry_total": 0}


def under_test(server: EventHubsServer) -> HubUnderTest:
    return HubUnderTest(server.connection_string, HUB)


# -- starting


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "--host 0.0.0.0: only a loopback address"),
        ({"hubs": {HUB: 0}}, "--hub requests:0: a hub has 1 to 32 partitions"),
        ({"hubs": {HUB: 33}}, "--hub requests:33: a hub has 1 to 32 partitions"),
        ({"hubs": {"a/b": 1}}, "--hub a/b: a name has letters"),
        ({"consumer_groups": {"usage": ["g"]}}, "names a hub that no --hub declares"),
    ],
)
async def test_what_cannot_be_served_is_refused_by_the_name_of_its_option(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(StartError, match=message):
        await EventHubsServer(**{"hubs": {HUB: 1}, **options}).start()


async def test_a_port_that_is_taken_is_named(server: EventHubsServer) -> None:
    second = EventHubsServer(hubs={HUB: 1}, port=server.port)
    with pytest.raises(StartError, match=f"port {server.port} is taken; choose another"):
        await second.start()


async def test_a_data_directory_has_one_server_at_a_time(tmp_path: Path) -> None:
    async with EventHubsServer(hubs={HUB: 1}, data=tmp_path):
        with pytest.raises(StartError, match="another server is using it"):
            await EventHubsServer(hubs={HUB: 1}, data=tmp_path).start()
    async with EventHubsServer(hubs={HUB: 1}, data=tmp_path):
        pass


async def test_a_hub_on_disk_keeps_its_partition_count(tmp_path: Path) -> None:
    async with EventHubsServer(hubs={HUB: 4}, data=tmp_path):
        pass
    with pytest.raises(StartError, match="holds a hub of 4 partitions; use that count"):
        await EventHubsServer(hubs={HUB: 8}, data=tmp_path).start()


async def test_events_outlive_the_server_that_took_them(tmp_path: Path) -> None:
    async with EventHubsServer(hubs={HUB: 1}, data=tmp_path) as server:
        await publish(server, b"first run")
    async with EventHubsServer(hubs={HUB: 1}, data=tmp_path) as server:
        await publish(server, b"second run")
        assert await receive(server, 2) == [b"first run", b"second run"]


# -- faults


async def test_a_rejected_send_is_not_stored_and_the_next_one_is(server: EventHubsServer) -> None:
    server.faults.reject_sends(1)
    async with under_test(server).producer() as producer:
        with pytest.raises(EventDataSendError, match="throttled"):
            await producer.send_batch([EventData("lost")], partition_id="0")
        await producer.send_batch([EventData("kept")], partition_id="0")
    assert await receive(server, 1) == [b"kept"]


async def test_a_lost_acknowledgement_makes_the_sdk_send_again(server: EventHubsServer) -> None:
    server.faults.lose_acknowledgements(1)
    async with under_test(server).producer() as producer:
        await producer.send_batch([EventData("twice")], partition_id="0")
    assert await receive(server, 2) == [b"twice", b"twice"]


async def test_an_error_on_an_open_producer_is_hidden_once_by_the_sdk(
    server: EventHubsServer,
) -> None:
    """`send_batch` of azure-eventhub 5.15 opens a new producer and sends again, even with
    `retry_total=0`: a lost acknowledgement is then two events and no error. Only the first send
    to a partition, which opens its producer, raises at once.
    """
    async with under_test(server).producer(**NO_RETRY) as producer:
        server.faults.lose_acknowledgements(1)
        with pytest.raises(EventHubError):
            await producer.send_batch([EventData("unknown")], partition_id="0")
        server.faults.lose_acknowledgements(1)
        await producer.send_batch([EventData("twice")], partition_id="0")
        server.faults.reject_sends(2)
        with pytest.raises(EventDataSendError):
            await producer.send_batch([EventData("refused")], partition_id="0")
    assert await receive(server, 3) == [b"unknown", b"twice", b"twice"]


async def test_acknowledgements_can_be_late(server: EventHubsServer) -> None:
    server.faults.acknowledgement_delay_seconds = 0.2
    loop = asyncio.get_running_loop()
    async with under_test(server).producer() as producer:
        batch = await producer.create_batch()
        batch.add(EventData("x"))
        started = loop.time()
        await producer.send_batch(batch)
        assert loop.time() - started >= 0.2


@pytest.mark.parametrize("fault", ["drop_connections", "detach_links"])
async def test_clients_carry_on_after_their_connection_or_link_has_ended(
    server: EventHubsServer, fault: str
) -> None:
    hub = under_test(server)
    await publish(server, b"before")
    async with hub.receiving(partition_id="0") as received:
        await received.count(1)
        getattr(server.faults, fault)()
        await publish(server, b"after")
        await received.count(2)
    assert received.bodies() == [b"before", b"after"]
    await hub.close()


# -- time


async def test_enqueued_times_are_the_servers(server: EventHubsServer, clock: Clock) -> None:
    clock.now -= 1_000.0
    producer = under_test(server).shared_producer()
    await producer.send_batch([EventData("x")], partition_id="0")
    properties = await producer.get_partition_properties("0")
    assert properties["last_enqueued_time_utc"].timestamp() == pytest.approx(clock.now, abs=0.001)
    await producer.close()


async def test_events_expire_by_age(clock: Clock) -> None:
    retention = Retention(seconds=60)
    async with EventHubsServer(hubs={HUB: 1}, retention=retention, clock=clock) as server:
        await publish(server, b"old", b"older")
        clock.now += 61
        server.sweep()
        await publish(server, b"new")
        assert await receive(server, 1) == [b"new"]


async def test_a_link_ends_when_its_token_expires(server: EventHubsServer, clock: Clock) -> None:
    async with RawClient(server) as client:
        await client.open()
        await client.authorize(HUB)
        await client.send(attach_frame(handle=2, target=HUB))
        await client.expect(Performative.FLOW)
        clock.now += 3_601
        server.sweep()
        detach = await client.expect(Performative.DETACH)
        assert error_of(detach, 2)[0] == Condition.UNAUTHORIZED


async def test_an_idle_peer_is_told_and_closed() -> None:
    limits = Limits(idle_seconds=0.0)
    async with EventHubsServer(hubs={HUB: 1}, limits=limits) as server, RawClient(server) as client:
        await client.open()
        server.sweep()
        close = await client.expect(Performative.CLOSE)
        assert error_of(close)[0] == Condition.CONNECTION_FORCED


async def test_a_peer_with_an_idle_timeout_gets_heartbeats(server: EventHubsServer) -> None:
    async with RawClient(server) as client:
        await client.open(idle_ms=1)
        server.sweep()
        assert await client.header() == b"\x00\x00\x00\x08\x02\x00\x00\x00"


# -- slow and greedy clients


async def test_a_client_that_does_not_read_holds_up_nobody_and_little_memory(
    server: EventHubsServer,
) -> None:
    events = [bytes([index]) * 200_000 for index in range(150)]
    await publish(server, *events)
    async with RawClient(server) as slow:
        await slow.open()
        await slow.authorize(HUB)
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await slow.send(
            attach_frame(handle=2, source=SOURCE),
            flow_frame(handle=2, credit=1_000, seen=1, window=100_000),
        )
        assert await receive(server, len(events)) == events
        buffered = max(connection.buffered_bytes for connection in server.connections())
        # one read beyond the high-water mark, of the 30 MB that its credit would allow
        assert 0 < buffered < 4 << 20
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await slow.expect(Performative.ATTACH)
        assert [data_of(await slow.message()) for _ in events] == events


async def test_a_huge_message_is_counted_not_kept(server: EventHubsServer) -> None:
    async with RawClient(server) as client:
        await client.open()
        await client.authorize(HUB)
        await client.send(attach_frame(handle=2, target=HUB))
        piece = b"z" * 60_000
        for _ in range(100):
            await client.send(transfer_frame(handle=2, payload=piece, delivery_id=1, more=True))
        await client.send(transfer_frame(handle=2, payload=piece, delivery_id=1))
        outcome = await client.expect(Performative.DISPOSITION)
        condition, description, _ = outcome.fields.value(4).value[0].value
        assert condition == Condition.MESSAGE_TOO_LARGE
        assert "size:6060000 bytes" in description
        await client.send(
            transfer_frame(handle=2, payload=codec.described(DATA, b"small"), delivery_id=2)
        )
        outcome = await client.expect(Performative.DISPOSITION)
        assert outcome.fields.value(4).descriptor == 0x24


async def test_closing_the_server_ends_every_connection(clock: Clock) -> None:
    server = EventHubsServer(hubs={HUB: 1}, clock=clock)
    await server.start()
    async with RawClient(server) as client:
        await client.open()
        await server.close()
        assert await client.ended()
    await until(lambda: server.connection_count == 0, "the connections to end")
