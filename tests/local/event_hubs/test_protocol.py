"""Who breaks the protocol loses its connection, session or link, and nobody else notices."""

from __future__ import annotations

import random

import pytest

from local.event_hubs import Condition, EventHubsServer, codec, frames
from local.event_hubs.frames import Performative
from local.event_hubs.messages import DATA
from tests.local.event_hubs.raw_client import (
    RawClient,
    attach_frame,
    begin_frame,
    error_of,
    flow_frame,
    frame,
    open_frame,
    publish,
    transfer_frame,
)
from tests.local.event_hubs.support import until

HUB = "requests"
EVENT = codec.described(DATA, b"an event")


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        pytest.param(b"\x00\x00\x00\x04", None, id="incomplete and silent"),
        pytest.param(b"\x00\x00\x00\x07\x02\x00\x00\x00", Condition.FRAMING_ERROR, id="too short"),
        pytest.param(b"\xff\xff\xff\xff\x02\x00\x00\x00", Condition.FRAMING_ERROR, id="too long"),
        pytest.param(b"\x00\x00\x00\x08\x01\x00\x00\x00", Condition.DECODE_ERROR, id="offset"),
        pytest.param(
            b"\x00\x00\x00\x09\x02\x00\x00\x00\x43", Condition.DECODE_ERROR, id="not described"
        ),
        pytest.param(
            b"\x00\x00\x00\x0d\x02\x00\x00\x00\x00\x53\x12\xc0\x09",
            Condition.DECODE_ERROR,
            id="cut short",
        ),
        pytest.param(
            b"\x00\x00\x00\x08\x02\x01\x00\x00", Condition.FRAMING_ERROR, id="late SASL frame"
        ),
        pytest.param(frame(0x99, []), Condition.NOT_ALLOWED, id="unknown performative"),
        pytest.param(
            frame(Performative.FLOW, ["no", "number"]), Condition.DECODE_ERROR, id="wrong types"
        ),
        pytest.param(begin_frame(), Condition.NOT_ALLOWED, id="a channel twice"),
        pytest.param(flow_frame(handle=9), None, id="unattached handle"),
        pytest.param(
            attach_frame(handle=4_000, target=HUB), Condition.FRAMING_ERROR, id="handle too large"
        ),
        pytest.param(
            frame(Performative.FLOW, [], channel=7), Condition.NOT_ALLOWED, id="no such session"
        ),
    ],
)
async def test_a_malformed_frame_ends_its_connection_and_no_other(
    server: EventHubsServer, data: bytes, condition: Condition | None
) -> None:
    async with RawClient(server) as client:
        await client.open()
        await client.send(data)
        if condition is not None:
            close = await client.expect(Performative.CLOSE)
            assert error_of(close)[0] == condition
            assert await client.ended()
        await publish(server, b"an event")


async def test_noise_of_any_kind_leaves_the_server_standing(server: EventHubsServer) -> None:
    source = random.Random(1)
    for attempt in range(150):
        async with RawClient(server) as client:
            noise = source.randbytes(source.randint(1, 400))
            if attempt % 3 == 1:
                code = bytes([source.randint(0x10, 0x18)])
                noise = b"\x00\x00\x01\x00\x02\x00\x00\x00\x00\x53" + code + noise.ljust(245, b"\0")
            if attempt % 3:
                noise = frames.AMQP_HEADER + open_frame() + begin_frame() + noise
            await client.send(noise)
            client.writer.write_eof()
            assert await client.ended()
    await publish(server, b"an event")
    await until(lambda: server.connection_count == 0, "every connection to be forgotten")


async def test_a_peer_that_does_not_speak_amqp_is_told_what_is_spoken(
    server: EventHubsServer,
) -> None:
    async with RawClient(server) as client:
        await client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await client.header() == frames.AMQP_HEADER
        assert await client.ended()


async def test_a_handle_that_is_not_attached_ends_the_session_only(
    server: EventHubsServer,
) -> None:
    async with RawClient(server) as client:
        await client.open()
        await client.send(transfer_frame(handle=3, payload=EVENT))
        end = await client.expect(Performative.END)
        assert error_of(end)[0] == Condition.UNATTACHED_HANDLE
        await client.send(begin_frame(channel=1))
        await client.expect(Performative.BEGIN)


async def test_a_link_without_a_token_is_refused(server: EventHubsServer) -> None:
    async with RawClient(server) as client:
        await client.open()
        await client.send(attach_frame(handle=0, target=HUB))
        attach = await client.expect(Performative.ATTACH)
        assert attach.fields.value(6) is None
        detach = await client.expect(Performative.DETACH)
        assert error_of(detach, 2)[0] == Condition.UNAUTHORIZED


@pytest.mark.parametrize(
    ("source", "condition"),
    [
        (f"{HUB}/ConsumerGroups/nobody/Partitions/0", Condition.NOT_FOUND),
        (f"{HUB}/ConsumerGroups/$Default/Partitions/9", Condition.ARGUMENT_OUT_OF_RANGE),
        (f"{HUB}/Partitions/0", Condition.INVALID_FIELD),
        (f"{HUB}/Sessions/0", Condition.NOT_FOUND),
    ],
    ids=["no such consumer group", "no such partition", "no consumer group", "no such address"],
)
async def test_a_receiver_for_what_does_not_exist_is_refused(
    server: EventHubsServer, source: str, condition: Condition
) -> None:
    async with RawClient(server) as client:
        await client.open()
        await client.authorize(HUB)
        await client.send(attach_frame(handle=2, source=source))
        detach = await client.expect(Performative.DETACH)
        assert error_of(detach, 2)[0] == condition


async def test_names_are_compared_without_regard_to_case(server: EventHubsServer) -> None:
    async with RawClient(server) as client:
        await client.open()
        await client.authorize(HUB)
        source = "REQUESTS/consumergroups/$DEFAULT/partitions/0"
        await client.send(attach_frame(handle=2, source=source))
        attach = await client.expect(Performative.ATTACH)
        assert attach.fields.value(5) is not None


async def test_a_message_that_is_not_amqp_is_rejected_and_the_link_lives_on(
    server: EventHubsServer,
) -> None:
    async with RawClient(server) as client:
        await client.open()
        await client.authorize(HUB)
        await client.send(
            attach_frame(handle=2, target=HUB),
            transfer_frame(handle=2, payload=b"\x00\x53\x75\xb0\xff", delivery_id=1),
            transfer_frame(handle=2, payload=EVENT, delivery_id=2),
        )
        first = await client.expect(Performative.DISPOSITION)
        assert first.fields.value(4).descriptor == 0x25
        second = await client.expect(Performative.DISPOSITION)
        assert second.fields.value(4).descriptor == 0x24


async def test_an_aborted_delivery_is_forgotten(server: EventHubsServer) -> None:
    async with RawClient(server) as client:
        await client.open()
        await client.authorize(HUB)
        await client.send(
            attach_frame(handle=2, target=HUB),
            transfer_frame(handle=2, payload=EVENT[:4], delivery_id=1, more=True),
            transfer_frame(handle=2, payload=b"", delivery_id=1, aborted=True),
            transfer_frame(handle=2, payload=EVENT, delivery_id=2),
        )
        outcome = await client.expect(Performative.DISPOSITION)
        assert outcome.fields.number(1, 0) == 2
        assert outcome.fields.value(4).descriptor == 0x24


async def test_credit_and_the_session_window_limit_what_is_delivered(
    server: EventHubsServer,
) -> None:
    await publish(server, *[b"an event"] * 5)
    async with RawClient(server) as client:
        await client.open()
        await client.authorize(HUB)
        source = f"{HUB}/ConsumerGroups/$Default/Partitions/0"
        await client.send(attach_frame(handle=2, source=source))
        await client.send(flow_frame(handle=2, credit=2, seen=1, echo=True))
        tags = [(await client.expect(Performative.TRANSFER)).fields.value(2) for _ in range(2)]
        await client.send(flow_frame(handle=2, delivery_count=2, credit=9, seen=3, window=1))
        tags.append((await client.expect(Performative.TRANSFER)).fields.value(2))
        await client.send(flow_frame(handle=2, delivery_count=3, credit=9, seen=4, drain=True))
        tags += [(await client.expect(Performative.TRANSFER)).fields.value(2) for _ in range(2)]
        assert [int.from_bytes(tag, "big") for tag in tags] == [0, 1, 2, 3, 4]
        drained = await client.expect(Performative.FLOW)
        assert (drained.fields.number(5, 0), drained.fields.number(6, 9)) == (12, 0)


async def test_a_large_event_is_cut_into_frames_that_the_peer_can_take(
    server: EventHubsServer,
) -> None:
    await publish(server, b"z" * 20_000)
    async with RawClient(server) as client:
        await client.open(max_frame_bytes=1_000)
        await client.authorize(HUB)
        source = f"{HUB}/ConsumerGroups/$Default/Partitions/0"
        await client.send(
            attach_frame(handle=2, source=source), flow_frame(handle=2, credit=1, seen=1)
        )
        payload = b""
        more = True
        while more:
            piece = await client.expect(Performative.TRANSFER)
            assert len(piece.payload) < 1_000
            payload += piece.payload
            more = piece.fields.flag(5)
        assert payload.endswith(b"z" * 20_000)
