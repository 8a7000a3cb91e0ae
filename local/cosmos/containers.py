"""A container as data: its definition, checked, and what follows from it for each item."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from .errors import bad_request
from .indexing import DEFAULT_POLICY, IndexingPolicy

MAX_TTL_SECONDS: Final = 2_147_483_647
MAX_ITEM_ID_BYTES: Final = 1_023
MAX_NAME_CHARACTERS: Final = 255
"""Of databases and containers."""

_ILLEGAL: Final = re.compile(r"[/\\?#]")
_PATH: Final = re.compile(r"(?:/[A-Za-z_][A-Za-z0-9_]*)+")

_KNOWN: Final = frozenset(
    {"id", "partitionKey", "defaultTtl", "indexingPolicy", "conflictResolutionPolicy"}
    | {"geospatialConfig", "computedProperties"}
)
_NOT_SERVED: Final = frozenset(
    {"uniqueKeyPolicy", "vectorEmbeddingPolicy", "fullTextPolicy", "changeFeedPolicy"}
    | {"analyticalStorageTtl", "clientEncryptionPolicy", "materializedViewDefinition"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """One container, as operations on its items need it."""

    database_number: int
    number: int
    name: str
    """The database's and the container's id, with a slash between."""
    id: str
    rid: str
    path: str
    """`dbs/{database}/colls/{id}`, for the SDK's session bookkeeping."""
    self_link: str
    key_path: tuple[str, ...]
    """Property names that lead to the partition key."""
    key_version: int
    default_ttl: int | None
    """None: TTL is off, and items' own is ignored. -1: items live unless they say otherwise."""
    indexing: IndexingPolicy

    def expiry(self, item: dict[str, Any], written_at: int) -> int | None:
        """When an item written at `written_at` ends, both in Unix seconds; None is never.

        Raises `CosmosError` 400 for an impossible `ttl`, whether or not TTL is on.
        """
        ttl = item.get("ttl", _UNSET)
        if ttl is _UNSET:
            ttl = None
        elif not _is_ttl(ttl):
            raise bad_request(
                f"The input ttl '{ttl}' is invalid. Ensure to provide a nonzero positive integer "
                f"less than or equal to '{MAX_TTL_SECONDS}', or -1 for no expiry."
            )
        if self.default_ttl is None:
            return None
        seconds: int = self.default_ttl if ttl is None else ttl
        return None if seconds == -1 else written_at + seconds


_UNSET: Final = object()


def _is_ttl(value: Any) -> bool:
    return (
        isinstance(value, int)
        and not isinstance(value, bool)
        and (value == -1 or 0 < value <= MAX_TTL_SECONDS)
    )


def check_item_id(item: dict[str, Any]) -> str:
    """The id of an item; `CosmosError` 400 if Azure would not take it."""
    found = item.get("id")
    if found is None:
        raise bad_request(
            "The input content is invalid because the required properties - 'id; ' - are missing"
        )
    if (
        not isinstance(found, str)
        or not found
        or _ILLEGAL.search(found)
        or found[-1] in " \n"
        or (len(found) > MAX_ITEM_ID_BYTES // 4 and len(found.encode()) > MAX_ITEM_ID_BYTES)
    ):
        raise bad_request(
            f"The input name '{str(found)[:60]}' is invalid: an id is a string of 1 to "
            f"{MAX_ITEM_ID_BYTES} bytes without / \\ ? # and without a space at its end."
        )
    return found


def check_name(body: Any) -> str:
    """The id of a database or container to be created; `CosmosError` 400 if it cannot be one."""
    found = body.get("id") if isinstance(body, dict) else None
    if (
        not isinstance(found, str)
        or not 0 < len(found) <= MAX_NAME_CHARACTERS
        or _ILLEGAL.search(found)
        or found != found.strip()
    ):
        raise bad_request(
            f"The input name '{str(found)[:60]}' is invalid. Ensure to provide a unique non-empty "
            f"string less than '{MAX_NAME_CHARACTERS}' characters."
        )
    return found


def complete_definition(body: dict[str, Any]) -> dict[str, Any]:
    """A create-container body with Azure's defaults filled in.

    Raises `CosmosError` 400 for what Azure refuses, and for features that are not served here.
    """
    for field in sorted(body.keys() & _NOT_SERVED):
        raise bad_request(f"{field}: not part of what the local Cosmos DB serves")
    for field in sorted(body.keys() - _KNOWN - _NOT_SERVED):
        raise bad_request(f"The container definition has an unknown property '{field}'.")
    key = dict(body.get("partitionKey") or {})
    _check_partition_key(key)
    key.setdefault("kind", "Hash")
    key.setdefault("version", 1)
    definition = {**body, "partitionKey": key}
    ttl = definition.get("defaultTtl")
    if ttl is None:
        definition.pop("defaultTtl", None)
    elif not _is_ttl(ttl):
        raise bad_request(
            f"The value of DefaultTimeToLive '{ttl}' is invalid: -1, or a positive number of "
            f"seconds up to {MAX_TTL_SECONDS}."
        )
    policy = definition.get("indexingPolicy") or DEFAULT_POLICY
    IndexingPolicy.parse(policy)
    definition["indexingPolicy"] = policy
    definition.setdefault(
        "conflictResolutionPolicy",
        {
            "mode": "LastWriterWins",
            "conflictResolutionPath": "/_ts",
            "conflictResolutionProcedure": "",
        },
    )
    definition.setdefault("geospatialConfig", {"type": "Geography"})
    return definition


def _check_partition_key(key: dict[str, Any]) -> None:
    paths = key.get("paths")
    if not isinstance(paths, list) or not paths:
        raise bad_request("The partition key definition is missing or has no paths.")
    if len(paths) > 1 or key.get("kind", "Hash") != "Hash":
        raise bad_request(
            "hierarchical partition keys: not part of what the local Cosmos DB serves"
        )
    if not isinstance(paths[0], str) or not _PATH.fullmatch(paths[0]):
        raise bad_request(f"The partition key path '{paths[0]}' is invalid.")
    if key.get("version", 1) not in (1, 2):
        raise bad_request(f"The partition key version '{key.get('version')}' is not 1 or 2.")
