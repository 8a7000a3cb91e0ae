"""Request charges, in RU: plausible, so that SDKs have something to surface; never to be relied on.

A read of 1 KB costs 1 RU, of 100 KB 10; a create of 1 KB about 5 to 7; a query about 2.3 and what
it reads (Microsoft's documentation of request units).
"""

from __future__ import annotations

_KB = 1024


def read(size: int) -> float:
    """A point read of `size` bytes; also of an item that is missing."""
    return round(1 + max(0, size - _KB) / _KB / 11, 2)


def write(size: int, properties: int) -> float:
    """A create, upsert or replace of `size` bytes with so many indexed properties."""
    return round(5 + 0.1 * properties + max(0, size - _KB) / _KB * 0.5, 2)


def delete(size: int) -> float:
    """A delete: what the write cost, without its index terms."""
    return write(size, 0)


def refused() -> float:
    """A write that was refused by what is stored."""
    return 1.24


def query(loaded: int) -> float:
    """A page for which `loaded` bytes were looked at."""
    return round(2.3 + loaded / _KB / 30, 2)
