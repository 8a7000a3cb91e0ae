"""The Event Hubs adapter, with the real SDK over real sockets against the local namespace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from azure.eventhub.aio import EventHubConsumerClient

from local.event_hubs import EventHubsServer
from ptu_optimizer.adapters.event_hubs import EVENTS_PER_BATCH, HEARD_SECONDS, TRIES, EventHubs
from ptu_optimizer.adapters.identity import Identity
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.hubs import Outgoing, PublishFailed
from tests.support.azurite import free_port

HUB = "requests"
PARTITIONS = 4


@pytest.fixture
async def server() -> AsyncIterator[EventHubsServer]:
    async with EventHubsServer(hubs={HUB: PARTITIONS}) as started:
        yield started


@pytest.fixture
async def hubs(server: EventHubsServer) -> AsyncIterator[EventHubs]:
    adapter = build(server.connection_string)
    yield adapter
    await adapter.close()


def build(connection_string: str) -> EventHubs:
    return EventHubs(
        connection_string=connection_string, namespace=None, identity=Identity(client_id=None)
    )


async def received(server: EventHubsServer, count: int) -> dict[str, list[bytes]]:
    """What lies on each partition, once `count` events are there."""
    found: dict[str, list[bytes]] = {str(n): [] for n in range(PARTITIONS)}
    done = asyncio.Event()

    async def take(context: object, events: list[object]) -> None:
        for event in events:
            found[context.partition_id].append(b"".join(event.body))  # type: ignore[attr-defined]
        if sum(map(len, found.values())) >= count:
            done.set()

    async with EventHubConsumerClient.from_connection_string(
        server.connection_string, "$Default", eventhub_name=HUB, load_balancing_interval=1
    ) as consumer:
        reading = asyncio.create_task(
            consumer.receive_batch(take, starting_position="-1", max_wait_time=1)  # type: ignore[arg-type]
        )
        await asyncio.wait_for(done.wait(), 20)
        reading.cancel()
    return found


async def test_unkeyed_events_leave_in_few_batches_spread_over_partitions(
    hubs: EventHubs, server: EventHubsServer
) -> None:
    events = [Outgoing(b"%d" % n) for n in range(4 * EVENTS_PER_BATCH)]
    await hubs.publish(HUB, events)
    found = await received(server, len(events))
    assert sorted(map(len, found.values())) == [EVENTS_PER_BATCH] * PARTITIONS
    assert sorted(payload for lot in found.values() for payload in lot) == sorted(
        event.payload for event in events
    )


async def test_events_with_one_key_meet_in_one_partition(
    hubs: EventHubs, server: EventHubsServer
) -> None:
    events = [Outgoing(b"%d" % n, key=f"request-{n % 40}") for n in range(400)]
    await hubs.publish(HUB, events)
    found = await received(server, len(events))
    homes: dict[int, set[str]] = {}
    for partition, payloads in found.items():
        for payload in payloads:
            homes.setdefault(int(payload) % 40, set()).add(partition)
    assert all(len(partitions) == 1 for partitions in homes.values())
    assert len({partition for partitions in homes.values() for partition in partitions}) > 1


async def test_large_events_fill_as_many_batches_as_they_need(
    hubs: EventHubs, server: EventHubsServer
) -> None:
    await hubs.publish(HUB, [Outgoing(b"x" * 400_000) for _ in range(7)])
    found = await received(server, 7)
    assert sum(map(len, found.values())) == 7


async def test_nothing_to_publish_is_nothing_done(hubs: EventHubs) -> None:
    await hubs.publish(HUB, [])


async def test_a_busy_hub_is_asked_again(hubs: EventHubs, server: EventHubsServer) -> None:
    server.faults.reject_sends(2)
    await hubs.publish(HUB, [Outgoing(b"1")])
    assert sum(map(len, (await received(server, 1)).values())) == 1


async def test_a_hub_that_stays_busy_fails_the_publication_and_says_how_much_was_sent(
    hubs: EventHubs, server: EventHubsServer
) -> None:
    # the SDK itself sends twice on an open link
    server.faults.reject_sends(2 * TRIES)
    with pytest.raises(PublishFailed) as failure:
        await hubs.publish(HUB, [Outgoing(b"1")])
    assert failure.value.sent == 0


async def test_the_state_of_partitions_tells_what_was_published_last(
    hubs: EventHubs,
) -> None:
    await hubs.publish(HUB, [Outgoing(b"%d" % n, key="same") for n in range(3)])
    states = await hubs.partitions(HUB)
    assert [state.partition for state in states] == ["0", "1", "2", "3"]
    assert [state.last_sequence_number for state in states if not state.is_empty] == [2]


async def test_a_namespace_that_is_away_is_unavailable_before_anything_is_promised() -> None:
    async with EventHubsServer(hubs={HUB: 1}) as server:
        gone = server.connection_string
    adapter = build(gone)
    with pytest.raises(DependencyUnavailable):
        await adapter.ready(HUB)
    await adapter.close()


async def test_after_a_failed_send_the_hub_itself_is_asked(
    hubs: EventHubs, server: EventHubsServer
) -> None:
    await hubs.ready(HUB)
    await server.close()
    with pytest.raises(PublishFailed):
        await hubs.publish(HUB, [Outgoing(b"1")])
    with pytest.raises(DependencyUnavailable):
        await hubs.ready(HUB)


async def test_a_hub_that_left_behind_an_open_link_is_found_out_before_anything_is_promised(
    hubs: EventHubs, server: EventHubsServer
) -> None:
    await hubs.publish(HUB, [Outgoing(b"1")])
    await server.close()
    await asyncio.sleep(HEARD_SECONDS)
    with pytest.raises(DependencyUnavailable):
        await hubs.ready(HUB)


@pytest.mark.parametrize(
    ("connection_string", "namespace"),
    [
        pytest.param(
            "Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=a;SharedAccessKey=b;"
            "UseDevelopmentEmulator=true;",
            None,
            id="connection string",
        ),
        pytest.param(None, "127.0.0.1:{port}", id="identity"),
    ],
)
async def test_a_namespace_that_nobody_serves_is_found_out_at_once(
    connection_string: str | None, namespace: str | None
) -> None:
    port = free_port()
    adapter = EventHubs(
        connection_string=connection_string and connection_string.format(port=port),
        namespace=namespace and namespace.format(port=port),
        identity=Identity(client_id=None),
    )
    async with asyncio.timeout(2):
        with pytest.raises(DependencyUnavailable):
            await adapter.ready(HUB)
    await adapter.close()


async def test_a_hub_that_takes_connections_but_does_not_answer_is_given_up(
    server: EventHubsServer,
) -> None:
    hubs = EventHubs(
        connection_string=server.connection_string,
        namespace=None,
        identity=Identity(client_id=None),
        send_seconds=1.0,
    )
    await hubs.publish(HUB, [Outgoing(b"before")])
    server.faults.acknowledgement_delay_seconds = 3600.0
    with pytest.raises(PublishFailed):
        await hubs.publish(HUB, [Outgoing(b"meanwhile")])
    server.faults.acknowledgement_delay_seconds = 0.0
    await hubs.ready(HUB)
    await hubs.publish(HUB, [Outgoing(b"after")])
    assert b"after" in [payload for lot in (await received(server, 3)).values() for payload in lot]
    await hubs.close()


@pytest.mark.parametrize(
    ("connection", "address"),
    [
        pytest.param(
            "sb://n.servicebus.windows.net/", ("n.servicebus.windows.net", 5671), id="TLS"
        ),
        pytest.param(
            "sb://localhost;UseDevelopmentEmulator=true", ("localhost", 5672), id="emulator"
        ),
        pytest.param(
            "sb://127.0.0.1:23456;UseDevelopmentEmulator=true",
            ("127.0.0.1", 23456),
            id="at a port of its own",
        ),
    ],
)
def test_the_door_that_is_knocked_at_is_the_one_that_the_sdk_takes(
    connection: str, address: tuple[str, int]
) -> None:
    key = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE"
    endpoint, _, more = connection.partition(";")
    assert build(f"Endpoint={endpoint};{key};{more}")._address == address
