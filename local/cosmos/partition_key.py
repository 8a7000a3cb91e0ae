"""Partition keys: taken from items, read from the header, and compared in one canonical form.

The canonical form is the JSON array of the header with every number as a float, for 1 and 1.0 are
one key; an item without the property has the key `[{}]`, as SDKs say undefined.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import orjson

from .errors import SubStatus, bad_request

UNDEFINED_KEY: Final = "[{}]"

MAX_KEY_BYTES: Final = {1: 101, 2: 2048}
"""Longest string of a partition key, by version of the definition (service quotas)."""

_ABSENT: Final = object()


@lru_cache(maxsize=4096)
def from_header(text: str) -> str:
    """The canonical form of `x-ms-documentdb-partitionkey`; `CosmosError` 400 if it is not one."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"Partition key {text} is invalid.") from error
    if not isinstance(value, list):
        raise bad_request(f"Partition key {text} is invalid.")
    if len(value) != 1:
        raise bad_request(
            "The partition key supplied in x-ms-partitionkey header has fewer or more components "
            "than defined in the collection.",
            SubStatus.PARTITION_KEY_MISMATCH,
        )
    if value[0] == {}:
        return UNDEFINED_KEY
    return canonical(value[0])


def from_item(item: dict[str, Any], path: tuple[str, ...]) -> str:
    """The canonical form of an item's key; `CosmosError` 400 if it cannot be one."""
    value: Any = item
    for name in path:
        value = value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
        if value is _ABSENT:
            return UNDEFINED_KEY
    return canonical(value)


def canonical(value: Any) -> str:
    """The canonical form of a key's value: a string, a number, a boolean or null."""
    if isinstance(value, (dict, list)):
        raise bad_request("Partition key must be a string, a number, a boolean or null.")
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    return orjson.dumps([value]).decode()


def check_size(key: str, version: int) -> None:
    """`CosmosError` 400 for a key longer than Azure takes."""
    limit = MAX_KEY_BYTES[version]
    if len(key) <= limit // 6:  # six bytes an escaped character at most: the usual case
        return
    value = orjson.loads(key)[0]
    if isinstance(value, str) and len(value.encode()) > limit:
        raise bad_request(f"Partition key value is longer than {limit} bytes.")
