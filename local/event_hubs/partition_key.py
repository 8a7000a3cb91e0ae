"""Which partition a partition key goes to, exactly as in Azure.

The service hashes the key with Jenkins' lookup3 and takes the remainder as C# does, that is with
the sign of the hash, made positive afterwards. Source: PartitionResolver in the .NET and Java
SDKs, which says that it is "a direct port of the Event Hubs service code".

(azure-eventhub's own resolver for buffered mode takes Python's remainder, which differs for
negative hashes: a buffered Python producer may place a key elsewhere than the service would.)
"""

from __future__ import annotations

import struct

_MASK = 0xFFFFFFFF
_THREE_WORDS = struct.Struct("<III")


def _rotate(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (32 - bits))) & _MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    a = (a - c) & _MASK ^ _rotate(c, 4)
    c = (c + b) & _MASK
    b = (b - a) & _MASK ^ _rotate(a, 6)
    a = (a + c) & _MASK
    c = (c - b) & _MASK ^ _rotate(b, 8)
    b = (b + a) & _MASK
    a = (a - c) & _MASK ^ _rotate(c, 16)
    c = (c + b) & _MASK
    b = (b - a) & _MASK ^ _rotate(a, 19)
    a = (a + c) & _MASK
    c = (c - b) & _MASK ^ _rotate(b, 4)
    b = (b + a) & _MASK
    return a, b, c


def _final(a: int, b: int, c: int) -> tuple[int, int]:
    c = ((c ^ b) - _rotate(b, 14)) & _MASK
    a = ((a ^ c) - _rotate(c, 11)) & _MASK
    b = ((b ^ a) - _rotate(a, 25)) & _MASK
    c = ((c ^ b) - _rotate(b, 16)) & _MASK
    a = ((a ^ c) - _rotate(c, 4)) & _MASK
    b = ((b ^ a) - _rotate(a, 14)) & _MASK
    c = ((c ^ b) - _rotate(b, 24)) & _MASK
    return b, c


def partition_key_hash(key: str) -> int:
    """The signed 16-bit hash of a partition key."""
    data = key.encode()
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    position = 0
    while len(data) - position > 12:
        x, y, z = _THREE_WORDS.unpack_from(data, position)
        a, b, c = _mix((a + x) & _MASK, (b + y) & _MASK, (c + z) & _MASK)
        position += 12
    if data:
        x, y, z = _THREE_WORDS.unpack(data[position:].ljust(12, b"\0"))
        b, c = _final((a + x) & _MASK, (b + y) & _MASK, (c + z) & _MASK)
    low = (b ^ c) & 0xFFFF
    return low - 0x10000 if low & 0x8000 else low


def partition_for_key(key: str, partition_count: int) -> int:
    """The index of the partition that `key` belongs to."""
    return abs(partition_key_hash(key)) % partition_count
