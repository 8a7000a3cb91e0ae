"""Frames between the listener and its workers."""

from __future__ import annotations

import asyncio

import pytest

from local.host.protocol import Kind, ProtocolError, encode_frame, read_frame, split_body


def reader(data: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    return stream


async def test_frames_follow_one_another() -> None:
    stream = reader(
        encode_frame(Kind.RESULT, {"id": "1"}) + encode_frame(Kind.INVOKE, pieces=[b"abc"])
    )
    first, second = await read_frame(stream), await read_frame(stream)
    assert first == (Kind.RESULT, {"id": "1"}, b"")
    assert second == (Kind.INVOKE, {"sizes": [3]}, b"abc")
    assert await read_frame(stream) is None


async def test_pieces_of_a_body_come_apart_again() -> None:
    pieces = [b"", b"\x00\xff", b"x" * 100_000]
    frame = await read_frame(reader(encode_frame(Kind.INVOKE, {"id": "1"}, pieces)))
    assert frame is not None
    assert split_body(frame) == pieces


@pytest.mark.parametrize("missing", [1, 5, 12])
async def test_a_stream_that_breaks_off_is_the_end(missing: int) -> None:
    data = encode_frame(Kind.RESULT, {"id": "1"}, [b"body"])
    assert await read_frame(reader(data[:-missing])) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x01\xff\xff\xff\xff\xff\xff\xff\xff", id="far too long"),
        pytest.param(b"\xee" + bytes(8), id="an unknown kind"),
        pytest.param(b"\x04\x00\x00\x00\x01\x00\x00\x00\x00{", id="a header that is not JSON"),
    ],
)
async def test_what_is_not_a_frame_is_an_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        await read_frame(reader(data))
