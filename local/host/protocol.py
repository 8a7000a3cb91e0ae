"""Frames on the control channel: a kind, a JSON header, a binary body.

The channel is a socket pair between the listener and one worker, and lives as long as the worker.
It carries what gRPC carries in Azure: the functions of the app, invocations and their results, many
at a time, by invocation id. HTTP requests do not pass here: the listener forwards them to the
worker's own HTTP server (`local.host.proxy`), and only their results come this way.
"""

from __future__ import annotations

import asyncio
import enum
import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

_PREFIX = struct.Struct(">BII")  # kind, bytes of header, bytes of body

READ_LIMIT = 1024 * 1024
"""Read-ahead of a stream, in bytes."""

MAX_FRAME_BYTES = 256 * 1024 * 1024
"""Above this a length prefix is taken for a broken stream, not for data."""


INVOCATION_HEADER = "x-ms-invocation-id"
"""Tells the worker which invocation an HTTP request belongs to; Azure's host has it too."""

CALL_HEADER = "x-local-host-call"
"""The function and its route parameters, as JSON. In Azure they come by gRPC."""


class Kind(enum.IntEnum):
    """What a frame means, and who sends it."""

    READY = 1  # worker: indexed; header has the functions
    REFUSED = 2  # worker: cannot index; header has the error
    INVOKE = 3  # listener: run a function; body has the trigger data
    RESULT = 4  # worker: an invocation ended, HTTP ones too
    STOP = 5  # listener: finish and exit


class Frame(NamedTuple):
    """One decoded frame."""

    kind: Kind
    header: dict[str, Any]
    body: bytes


class ProtocolError(Exception):
    """The peer sent something that is not a frame."""


def encode_frame(
    kind: Kind, header: Mapping[str, Any] | None = None, pieces: Iterable[bytes] = ()
) -> bytes:
    """One frame. Its body is all pieces joined; the header says how long each is."""
    pieces = list(pieces)
    if pieces:
        header = {**(header or {}), "sizes": [len(piece) for piece in pieces]}
    head, body = orjson.dumps(header) if header else b"", b"".join(pieces)
    return b"".join((_PREFIX.pack(kind, len(head), len(body)), head, body))


def split_body(frame: Frame) -> list[bytes]:
    """The pieces that `encode_frame` joined."""
    pieces, position = [], 0
    for size in frame.header.get("sizes", ()):
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
