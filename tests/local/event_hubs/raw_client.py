"""A client that speaks AMQP by hand, for what the SDK would never send."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import struct
import time
import urllib.parse
from typing import Any, Self

from local.event_hubs import EventHubsServer, codec, frames
from local.event_hubs.codec import Described, Symbol, UInt, ULong, UShort
from local.event_hubs.frames import Frame, Performative
from local.event_hubs.messages import (
    APPLICATION_PROPERTIES,
    DATA,
    PROPERTIES,
    VALUE,
    sections,
)

TIMEOUT_SECONDS = 5.0


def frame(code: int, fields: list[Any], *, channel: int = 0, payload: bytes = b"") -> bytes:
    """An AMQP frame."""
    body = codec.described(code, fields) + payload
    return struct.pack(">IBBH", len(body) + 8, 2, 0, channel) + body


def open_frame(*, max_frame_bytes: int = 65_536, idle_ms: int | None = None) -> bytes:
    """An open performative."""
    idle = None if idle_ms is None else UInt(idle_ms)
    return frame(Performative.OPEN, ["raw", None, UInt(max_frame_bytes), UShort(10), idle])


def begin_frame(*, window: int = 1_000, channel: int = 0) -> bytes:
    """A begin performative."""
    return frame(Performative.BEGIN, [None, UInt(0), UInt(window), UInt(window)], channel=channel)


def attach_frame(
    *, handle: int, source: str | None = None, target: str | None = None, **properties: Any
) -> bytes:
    """An attach performative: to receive from `source`, or to send to `target`."""
    receives = source is not None
    fields: list[Any] = [f"link-{handle}", UInt(handle), receives, None, None]
    fields += [
        Described(ULong(0x28), [source or "here"]),
        Described(ULong(0x29), [target or "here"]),
    ]
    fields += [None, None, None if receives else UInt(0), None, None, None, properties or None]
    return frame(Performative.ATTACH, fields)


def flow_frame(
    *, handle: int | None, credit: int = 0, delivery_count: int = 0, seen: int = 0,
    window: int = 1_000, drain: bool = False, echo: bool = False,
) -> bytes:  # fmt: skip
    """A flow performative."""
    link: list[Any] = [None] * 3
    if handle is not None:
        link = [UInt(handle), UInt(delivery_count), UInt(credit)]
    fields: list[Any] = [UInt(seen), UInt(window), UInt(0), UInt(window), *link, None, drain, echo]
    return frame(Performative.FLOW, fields)


def transfer_frame(
    *, handle: int, payload: bytes, delivery_id: int = 0, more: bool = False, aborted: bool = False
) -> bytes:
    """A transfer performative."""
    fields: list[Any] = [UInt(handle), UInt(delivery_id), b"t", UInt(0), False, more]
    return frame(Performative.TRANSFER, [*fields, None, None, None, aborted, None], payload=payload)


class RawClient:
    """One connection, and the frames that have come on it."""

    def __init__(self, server: EventHubsServer) -> None:
        self._server = server

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def send(self, *data: bytes) -> None:
        """Send bytes."""
        self.writer.write(b"".join(data))
        await self.writer.drain()

    async def header(self) -> bytes:
        """The next protocol header."""
        return await asyncio.wait_for(self.reader.readexactly(8), TIMEOUT_SECONDS)

    async def frame(self) -> Frame:
        """The next frame that is not a heartbeat. `EOFError` at the end of the connection."""
        while True:
            size = await asyncio.wait_for(self.reader.readexactly(4), TIMEOUT_SECONDS)
            rest = await asyncio.wait_for(
                self.reader.readexactly(int.from_bytes(size, "big") - 4), TIMEOUT_SECONDS
            )
            parsed = frames.parse(size + rest)
            if parsed.performative is not None:
                return parsed

    async def expect(self, performative: Performative) -> Frame:
        """The next frame of a kind, passing over others."""
        while (found := await self.frame()).performative != performative:
            pass
        return found

    async def message(self) -> bytes:
        """The next message, put together from its transfers."""
        pieces: list[bytes] = []
        more = True
        while more:
            transfer = await self.expect(Performative.TRANSFER)
            pieces.append(transfer.payload)
            more = transfer.fields.flag(5)
        return b"".join(pieces)

    async def ended(self) -> bool:
        """Whether the server closes the connection."""
        try:
            await asyncio.wait_for(self.reader.read(-1), TIMEOUT_SECONDS)
        except ConnectionError:
            return True
        return self.reader.at_eof()

    async def open(self, **options: Any) -> None:
        """Open a connection and a session."""
        await self.send(frames.AMQP_HEADER, open_frame(**options), begin_frame())
        assert await self.header() == frames.AMQP_HEADER
        await self.expect(Performative.BEGIN)

    async def authorize(self, hub: str) -> None:
        """Put a token for `hub`, on handles 0 and 1."""
        token = sas_token(f"sb://127.0.0.1/{hub}")
        request = (
            codec.described(PROPERTIES, ["an id", None, None, None, "here"])
            + codec.described(
                APPLICATION_PROPERTIES,
                {
                    "operation": "put-token",
                    "type": "servicebus.windows.net:sastoken",
                    "name": f"sb://127.0.0.1/{hub}",
                },
            )
            + codec.described(VALUE, token)
        )
        await self.send(
            attach_frame(handle=0, target="$cbs"),
            attach_frame(handle=1, source="$cbs"),
            flow_frame(handle=1, credit=10),
            transfer_frame(handle=0, payload=request),
        )
        await self.expect(Performative.TRANSFER)


def sas_token(
    resource: str, *, expires_in_seconds: float = 3_600, key: bytes = b"SAS_KEY_VALUE"
) -> str:
    """A shared access signature for `resource`, a URL."""
    escaped = urllib.parse.quote_plus(resource)
    expires = int(time.time() + expires_in_seconds)
    signed = hmac.new(key, f"{escaped}\n{expires}".encode(), hashlib.sha256)
    signature = urllib.parse.quote(base64.b64encode(signed.digest()))
    return (
        f"SharedAccessSignature sr={escaped}&sig={signature}&se={expires}"
        "&skn=RootManageSharedAccessKey"
    )


async def publish(server: EventHubsServer, *bodies: bytes, hub: str = "requests") -> None:
    """Publish events to partition 0, each acknowledged, on a connection of their own."""
    async with RawClient(server) as client:
        await client.open()
        await client.authorize(hub)
        await client.send(attach_frame(handle=2, target=f"{hub}/Partitions/0"))
        for delivery_id, body in enumerate(bodies, start=1):
            message = codec.described(DATA, body)
            await client.send(
                *(
                    transfer_frame(
                        handle=2,
                        payload=message[at : at + 60_000],
                        delivery_id=delivery_id,
                        more=at + 60_000 < len(message),
                    )
                    for at in range(0, len(message), 60_000)
                )
            )
            outcome = (await client.expect(Performative.DISPOSITION)).fields.value(4)
            assert outcome.descriptor == 0x24, outcome


async def receive(server: EventHubsServer, count: int, *, hub: str = "requests") -> list[bytes]:
    """The first `count` messages of partition 0, as they come, without their annotations."""
    async with RawClient(server) as client:
        await client.open()
        await client.authorize(hub)
        source = f"{hub}/ConsumerGroups/$Default/Partitions/0"
        await client.send(
            attach_frame(handle=2, source=source),
            flow_frame(handle=2, credit=count, seen=1, window=100_000),
        )
        return [data_of(await client.message()) for _ in range(count)]


def data_of(message: bytes) -> bytes:
    """The body of a message."""
    (section,) = [each for each in sections(message) if each.code == DATA]
    body = codec.decode(message, section.value)[0]
    assert isinstance(body, bytes)
    return body


def error_of(frame_: Frame, index: int = 0) -> tuple[str, str]:
    """The condition and description of an error field."""
    described = frame_.fields.value(index)
    assert isinstance(described, Described)
    condition, description, _ = described.value
    assert isinstance(condition, Symbol)
    return str(condition), description
