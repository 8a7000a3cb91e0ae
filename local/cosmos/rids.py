"""Resource ids: the service's own names, which SDKs meet in `_rid` and `_self`.

Four bytes for a database, four more for a container, eight more for an item, as base64 in which
`-` stands for `/`. The top bit of a container's first byte is set: that tells it from a user, and
.NET's client takes a resource id without it for a user's. Source: `ResourceId.cs` of
azure-cosmos-dotnet-v3.
"""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Final

_CONTAINER_BIT: Final = 0x80


def database_rid(database: int) -> str:
    """The resource id of the database with this number."""
    return _encode(struct.pack("<I", database))


def container_rid(database: int, container: int) -> str:
    """The resource id of a container."""
    return _encode(struct.pack("<II", database, _with_bit(container)))


def item_rid(database: int, container: int, item: int) -> str:
    """The resource id of an item."""
    return _encode(struct.pack("<IIQ", database, _with_bit(container), item))


def container_number(rid: str) -> int | None:
    """The number behind a container's resource id; None if it is none."""
    raw = _decode(rid, length=8)
    return None if raw is None else _without_bit(struct.unpack("<II", raw)[1])


def item_number(rid: str) -> int | None:
    """The number behind an item's resource id; None if it is none."""
    raw = _decode(rid, length=16)
    return None if raw is None else int(struct.unpack("<IIQ", raw)[2])


def _with_bit(container: int) -> int:
    """The number with the bit in its lowest byte, which is the first one, and room made for it."""
    return (container >> 7 << 8) | (container & 0x7F) | _CONTAINER_BIT


def _without_bit(container: int) -> int:
    if not container & _CONTAINER_BIT:
        return container  # of data that was written before the bit was set
    return (container >> 8 << 7) | (container & 0x7F)


def _decode(rid: str, *, length: int) -> bytes | None:
    try:
        raw = base64.b64decode(rid.replace("-", "/"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == length else None


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode().replace("/", "-")
