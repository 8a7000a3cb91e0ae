"""Frames between the listener and a worker: a kind, a JSON header, a binary body.

Two channels use them. The *control* channel is a socket pair that lives as long as the worker and
carries invocations and their results, many at a time, by invocation id. The *HTTP* channel is a
pool of connections to the worker's Unix-domain socket, one request at a time each, so that a slow
client or a 25 MB body is held back by its own socket and by nothing else.
"""

from __future__ import annotations

import asyncio
import enum
import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

_PREFIX = struct.Struct(">BII")  # kind, bytes of header, bytes of body

CHUNK_BYTES = 256 * 1024
"""Largest body frame on the HTTP channel."""

READ_LIMIT = 1024 * 1024
"""Read-ahead of a stream, in bytes."""

MAX_FRAME_BYTES = 256 * 1024 * 1024
"""Above this a length prefix is taken for a broken stream, not for data."""


class Kind(enum.IntEnum):
    """What a frame means, and who sends it."""

    READY = 1  # worker: indexed; header has the functions
    REFUSED = 2  # worker: cannot index; header has the error
    INVOKE = 3  # listener: run a function; body has the trigger data
    RESULT = 4  # worker: an invocation ended, HTTP ones too
    STOP = 5  # listener: finish and exit
    REQUEST = 16  # listener: an HTTP request begins
    RESPONSE = 17  # worker: an HTTP response begins
    BODY = 18  # both: a piece of a body
    END = 19  # both: the body is complete


class Frame(NamedTuple):
    """One decoded frame."""

    kind: Kind
    header: dict[str, Any]
    body: bytes


class ProtocolError(Exception):
    """The peer sent something that is not a frame."""


def encode_frame(
    kind: Kind, header: Mapping[str, Any] | None = None, body: bytes | Iterable[bytes] = b""
) -> bytes:
    """One frame; several body pieces are joined, and the header says how long each is."""
    if not isinstance(body, bytes):
        pieces = list(body)
        header = {**(header or {}), "sizes": [len(piece) for piece in pieces]}
        body = b"".join(pieces)
    head = orjson.dumps(header) if header else b""
    return b"".join((_PREFIX.pack(kind, len(head), len(body)), head, body))


def split_body(frame: Frame) -> list[bytes]:
    """The pieces that `encode_frame` joined."""
    pieces, position = [], 0
    for size in frame.header["sizes"]:
        pieces.append(frame.body[position : position + size])
        position += size
    return pieces


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """The next frame, or `None` when the peer has closed or is gone."""
    try:
        kind, head_size, body_size = _PREFIX.unpack(await reader.readexactly(_PREFIX.size))
        if head_size + body_size > MAX_FRAME_BYTES:
            raise ProtocolError(f"a frame of {head_size + body_size} bytes")
        head = await reader.readexactly(head_size) if head_size else b""
        body = await reader.readexactly(body_size) if body_size else b""
    except (asyncio.IncompleteReadError, ConnectionError):
        return None  # also a peer that was killed in the middle of a frame
    try:
        return Frame(Kind(kind), orjson.loads(head) if head else {}, body)
    except ValueError as error:
        raise ProtocolError(f"not a frame: {error}") from None
