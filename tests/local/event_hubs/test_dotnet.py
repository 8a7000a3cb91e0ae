"""What Azure.Messaging.EventHubs (.NET) sends, on the wire, and what it expects to be answered."""

from __future__ import annotations

from typing import Any

import pytest

from local.event_hubs import Condition, EventHubsServer, codec
from local.event_hubs.codec import Described
from local.event_hubs.frames import Performative
from local.event_hubs.messages import (
    APPLICATION_PROPERTIES,
    DELIVERY_ANNOTATIONS,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    VALUE,
    sections,
)
from tests.local.event_hubs import dotnet_frames as dotnet
from tests.local.event_hubs.raw_client import RawClient, data_of, error_of, publish, sas_token
from tests.local.event_hubs.support import Clock

FROM_THE_START = "amqp.annotation.x-opt-offset > -1"
ARRAY32, STRING32 = 0xF0, 0xB1


async def opened(client: RawClient) -> None:
    """Open a connection and a session."""
    await client.send(dotnet.opening())
    await client.header()
    await client.expect(Performative.BEGIN)


async def authorized(client: RawClient, audience: str) -> None:
    """Put a token on `$cbs`, as before every link to a hub; handles 0 and 1."""
    request = dotnet.put_token(sas_token(dotnet.RESOURCE), audience)
    await client.send(
        dotnet.duplex("$cbs", dotnet.CBS_REPLY_TO, sender=0, receiver=1),
        dotnet.transfer(0, request, delivery_id=1),
    )
    assert part(await client.message(), APPLICATION_PROPERTIES)["status-code"] == 202


async def asked(server: EventHubsServer, request: bytes) -> bytes:
    """The answer of `$management`, on a connection that has put no token on `$cbs`."""
    async with RawClient(server) as client:
        await opened(client)
        await client.send(
            dotnet.duplex("$management", dotnet.REPLY_TO, sender=0, receiver=1),
            dotnet.transfer(0, request, delivery_id=1),
        )
        return await client.message()


def part(message: bytes, code: int) -> Any:
    """The value of one section of a message."""
    (found,) = [each for each in sections(message) if each.code == code]
    return codec.decode(message, found.value)[0]


async def test_a_hub_tells_its_partitions_to_a_token_in_the_request(
    server: EventHubsServer,
) -> None:
    token = sas_token(dotnet.RESOURCE)
    answer = await asked(server, dotnet.management("eventhub", token))
    assert part(answer, APPLICATION_PROPERTIES)["status-code"] == 200
    assert part(answer, PROPERTIES)[5] == "r1"
    properties = part(answer, VALUE)
    assert (properties["name"], properties["partition_count"]) == ("requests", 4)
    assert properties["partition_ids"] == ["0", "1", "2", "3"]


async def test_partition_ids_are_an_array_of_strings(server: EventHubsServer) -> None:
    """The client casts them to `string[]`: a list is an InvalidCastException there."""
    answer = await asked(server, dotnet.management("eventhub", sas_token(dotnet.RESOURCE)))
    name = codec.encode("partition_ids")
    value = answer[answer.index(name) + len(name) :]
    assert value[0] == ARRAY32
    assert int.from_bytes(value[5:9], "big") == 4
    assert value[9] == STRING32


async def test_a_partition_tells_where_it_ends(server: EventHubsServer) -> None:
    await publish(server, b"first", b"second")
    request = dotnet.management("partition", sas_token(dotnet.RESOURCE), partition="0")
    properties = part(await asked(server, request), VALUE)
    assert properties["last_enqueued_sequence_number"] == 1
    assert properties["is_partition_empty"] is False
    assert isinstance(properties["last_enqueued_offset"], str)


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        pytest.param("amqps://127.0.0.1/requests", 200, id="hub"),
        pytest.param("sb://127.0.0.1:5672/requests", 200, id="hub with its port"),
        pytest.param("sb://127.0.0.1:5672/requests/$management", 200, id="JavaScript's audience"),
        pytest.param("sb://127.0.0.1/", 200, id="namespace"),
        pytest.param("sb://127.0.0.1/REQUESTS", 200, id="hub in another case"),
        pytest.param("sb://127.0.0.1/usage", 401, id="another hub"),
        pytest.param("sb://127.0.0.1/requests-soon/$management", 401, id="another hub's node"),
        pytest.param("sb://127.0.0.1/requests/Partitions/0", 401, id="one partition"),
    ],
)
async def test_the_token_s_audience_decides(
    server: EventHubsServer, resource: str, status: int
) -> None:
    answer = await asked(server, dotnet.management("eventhub", sas_token(resource)))
    assert part(answer, APPLICATION_PROPERTIES)["status-code"] == status


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        pytest.param(None, "Unauthorized access", id="none"),
        pytest.param(sas_token(dotnet.RESOURCE, key=b"another"), "InvalidSignature", id="forged"),
        pytest.param(
            sas_token(dotnet.RESOURCE, expires_in_seconds=-60), "ExpiredToken", id="expired"
        ),
        pytest.param("eyJ0eXAi", "MalformedToken", id="Entra's"),
        pytest.param("", "MalformedToken", id="empty"),
    ],
)
async def test_without_a_valid_token_nothing_is_told(
    server: EventHubsServer, token: str | None, reason: str
) -> None:
    answer = await asked(server, dotnet.management("eventhub", token))
    told = part(answer, APPLICATION_PROPERTIES)
    assert told["status-code"] == 401
    assert reason in told["status-description"]
    assert part(answer, VALUE) is None


async def test_a_token_that_is_not_valid_is_refused_beside_a_valid_one_on_cbs(
    server: EventHubsServer,
) -> None:
    async with RawClient(server) as client:
        await opened(client)
        await authorized(client, dotnet.RESOURCE)
        forged = sas_token(dotnet.RESOURCE, key=b"another")
        await client.send(
            dotnet.duplex("$management", dotnet.REPLY_TO, sender=2, receiver=3),
            dotnet.transfer(2, dotnet.management("eventhub", forged), delivery_id=2),
        )
        assert part(await client.message(), APPLICATION_PROPERTIES)["status-code"] == 401


async def test_a_token_in_a_request_opens_no_link(server: EventHubsServer) -> None:
    async with RawClient(server) as client:
        await opened(client)
        await client.send(
            dotnet.duplex("$management", dotnet.REPLY_TO, sender=0, receiver=1),
            dotnet.transfer(
                0, dotnet.management("eventhub", sas_token(dotnet.RESOURCE)), delivery_id=1
            ),
        )
        await client.message()
        await client.send(dotnet.publisher(2))
        detach = await client.expect(Performative.DETACH)
        assert error_of(detach, 2)[0] == Condition.UNAUTHORIZED


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (FROM_THE_START, [b"0", b"1", b"2"]),
        ("amqp.annotation.x-opt-sequence-number > 0", [b"1", b"2"]),
        ("amqp.annotation.x-opt-sequence-number >= 1", [b"1", b"2"]),
        ("amqp.annotation.x-opt-offset > {offset}", [b"2"]),
        ("amqp.annotation.x-opt-offset >= {offset}", [b"1", b"2"]),
        ("amqp.annotation.x-opt-enqueued-time > {ms}", [b"1", b"2"]),
    ],
)
async def test_events_are_read_from_a_position_without_quotes(
    server: EventHubsServer, clock: Clock, selector: str, expected: list[bytes]
) -> None:
    first_ms = int(clock.now * 1000)
    for body in (b"0", b"1", b"2"):
        await publish(server, body)
        clock.now += 1
    offset = await offset_of(server, index=1)
    async with RawClient(server) as client:
        await opened(client)
        await authorized(client, f"{dotnet.RESOURCE}/ConsumerGroups/$Default/Partitions/0")
        await client.send(
            dotnet.receiver(2, selector.format(offset=offset, ms=first_ms)),
            dotnet.flow(2, credit=10, seen=1),
        )
        assert [data_of(await client.message()) for _ in expected] == expected


async def offset_of(server: EventHubsServer, *, index: int) -> str:
    """The offset of an event of partition 0."""
    async with RawClient(server) as client:
        await opened(client)
        await authorized(client, dotnet.RESOURCE)
        await client.send(dotnet.receiver(2, FROM_THE_START), dotnet.flow(2, credit=10, seen=1))
        for _ in range(index):
            await client.message()
        offset = part(await client.message(), MESSAGE_ANNOTATIONS)["x-opt-offset"]
        assert isinstance(offset, str)
        return offset


async def test_latest_is_what_comes_after_the_link(server: EventHubsServer) -> None:
    await publish(server, b"before")
    async with RawClient(server) as client:
        await opened(client)
        await authorized(client, dotnet.RESOURCE)
        await client.send(
            dotnet.receiver(2, "amqp.annotation.x-opt-offset > @latest"),
            dotnet.flow(2, credit=10, seen=1),
        )
        await client.expect(Performative.ATTACH)
        await publish(server, b"after")
        message = await client.message()
        assert data_of(message) == b"after"
        assert part(message, DELIVERY_ANNOTATIONS)["last_enqueued_sequence_number"] == 1


async def test_a_batch_s_events_share_its_partition_key(server: EventHubsServer) -> None:
    message, message_format = dotnet.batch(b"a", b"b", partition_key="tenant")
    alone, alone_format = dotnet.batch(b"c", partition_key="tenant")
    async with RawClient(server) as client:
        await opened(client)
        await authorized(client, dotnet.RESOURCE)
        await client.send(
            dotnet.publisher(2),
            dotnet.transfer(2, message, delivery_id=2, message_format=message_format),
            dotnet.transfer(2, alone, delivery_id=3, message_format=alone_format),
        )
        for _ in range(2):
            settled = (await client.expect(Performative.DISPOSITION)).fields.value(4)
            assert settled == Described(0x24, [])
    ends = [await ends_at(server, partition) for partition in "0123"]
    assert sorted(ends) == [-1, -1, -1, 2]


async def ends_at(server: EventHubsServer, partition: str) -> Any:
    """The last sequence number of a partition; -1 for an empty one."""
    token = sas_token(dotnet.RESOURCE)
    answer = await asked(server, dotnet.management("partition", token, partition=partition))
    return part(answer, VALUE)["last_enqueued_sequence_number"]


async def test_the_older_of_two_owners_is_disconnected(server: EventHubsServer) -> None:
    async with RawClient(server) as older, RawClient(server) as newer:
        for client, level in ((older, 1), (newer, 2)):
            await opened(client)
            await authorized(client, dotnet.RESOURCE)
            await client.send(dotnet.receiver(2, FROM_THE_START, owner_level=level))
            await client.expect(Performative.ATTACH)
        detach = await older.expect(Performative.DETACH)
        assert error_of(detach, 2)[0] == Condition.LINK_STOLEN
