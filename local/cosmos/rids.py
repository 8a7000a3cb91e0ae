"""Resource ids: the service's own names, which SDKs meet in `_rid` and `_self`.

Four bytes for a database, four more for a container, eight more for an item, as base64 in which
`-` stands for `/`.
"""

from __future__ import annotations

import base64
import binascii
import struct


def database_rid(database: int) -> str:
    """The resource id of the database with this number."""
    return _encode(struct.pack("<I", database))


def container_rid(database: int, container: int) -> str:
    """The resource id of a container."""
    return _encode(struct.pack("<II", database, container))


def item_rid(database: int, container: int, item: int) -> str:
    """The resource id of an item."""
    return _encode(struct.pack("<IIQ", database, container, item))


def item_number(rid: str) -> tuple[int, int] | None:
    """The container's and the item's number of an item's resource id; None if it is none."""
    try:
        raw = base64.b64decode(rid.replace("-", "/"), validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != 16:
        return None
    _, container, item = struct.unpack("<IIQ", raw)
    return container, item


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode().replace("/", "-")
