"""Items: the point operations on one container's partitions, with conditions and expiry.

Bodies are kept as the bytes that answers are made of, system properties included. An item that has
expired is gone at once for everybody, and its row goes when it is met or by and by.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import orjson

from .containers import Container, check_item_id
from .database import Database
from .errors import (
    SubStatus,
    bad_request,
    conflict,
    not_found,
    precondition_failed,
    too_large,
)
from .partition_key import UNDEFINED_KEY, check_size, from_item
from .rids import item_rid

MAX_ITEM_BYTES: Final = 2 * 1024 * 1024
PURGE_ROWS: Final = 1_000
"""Deleted at once by `purge`, so that it never holds up the others for long."""


class Stored(NamedTuple):
    """An item as it is kept."""

    number: int
    etag: str
    body: bytes


class Written(NamedTuple):
    """The result of a write: 201 if the item is new, else 200."""

    status: int
    etag: str
    body: bytes
    properties: int


class Items:
    """All items of all containers. Every method may raise `CosmosError`."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._sql = database.connection
        self._clock = clock
        (highest,) = self._sql.execute("SELECT max(number) FROM items").fetchone()
        self._next_number = (highest or 0) + 1
        self.writes = self._next_number
        """Grows with every write: the log sequence number of session tokens."""

    def create(self, container: Container, key: str, item: Any) -> Written:
        """409 if the id is taken in this partition."""
        item_id = _checked(container, key, item)
        if self._find(container, key, item_id) is not None:
            raise conflict()
        return self._insert(container, key, item_id, item)

    def upsert(
        self, container: Container, key: str, item: Any, *, if_match: str | None = None
    ) -> Written:
        """Replace or create. 412 if there is an item and its etag is not `if_match`; without an
        item there is nothing to compare, so Azure creates it (azure-cosmos-dotnet-v3#1698)."""
        item_id = _checked(container, key, item)
        found = self._find(container, key, item_id)
        if found is None:
            return self._insert(container, key, item_id, item)
        _check_match(found, if_match)
        return self._update(container, item, found)

    def replace(
        self,
        container: Container,
        key: str,
        item_id: str,
        item: Any,
        *,
        if_match: str | None = None,
    ) -> Written:
        """404 if there is none, 412 if its etag is not `if_match`. The id cannot change."""
        new_id = _checked(container, key, item)
        if new_id != item_id:
            raise bad_request(
                f"The id of an item cannot be changed: '{item_id}' is not '{new_id}'."
            )
        found = self._find(container, key, item_id)
        if found is None:
            raise not_found()
        _check_match(found, if_match)
        return self._update(container, item, found)

    def delete(
        self, container: Container, key: str, item_id: str, *, if_match: str | None = None
    ) -> int:
        """404 if there is none, 412 if its etag is not `if_match`. Returns its size in bytes."""
        found = self._find(container, key, item_id)
        if found is None:
            raise not_found()
        _check_match(found, if_match)
        self._sql.execute("DELETE FROM items WHERE number = ?", (found.number,))
        self.writes += 1
        return len(found.body)

    def read(self, container: Container, key: str, item_id: str) -> Stored:
        """404 if there is none."""
        found = self._find(container, key, item_id)
        if found is None:
            raise not_found()
        return found

    def scan(
        self, container: Container, key: str, *, after: int = 0
    ) -> Iterator[tuple[int, bytes]]:
        """Number and body of a partition's items whose number is above `after`, oldest first."""
        return self._sql.execute(
            "SELECT number, body FROM items WHERE container = ? AND partition = ? AND number > ? "
            "AND (expires_at IS NULL OR expires_at > ?) ORDER BY number",
            (container.number, key, after, self._clock()),
        )

    def id_of(self, number: int) -> str:
        """The id behind a resource id; 404 if there is none."""
        row = self._sql.execute("SELECT id FROM items WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise not_found()
        return str(row[0])

    def purge(self) -> int:
        """Delete some of what has expired; returns how many rows went, at most PURGE_ROWS."""
        return self._sql.execute(
            "DELETE FROM items WHERE number IN "
            "(SELECT number FROM items WHERE expires_at <= ? LIMIT ?)",
            (self._clock(), PURGE_ROWS),
        ).rowcount

    def rows(self) -> int:
        """How many rows are kept, expired ones included."""
        (count,) = self._sql.execute("SELECT count(*) FROM items").fetchone()
        return int(count)

    def _find(self, container: Container, key: str, item_id: str) -> Stored | None:
        row = self._sql.execute(
            "SELECT number, etag, body, expires_at FROM items "
            "WHERE container = ? AND partition = ? AND id = ?",
            (container.number, key, item_id),
        ).fetchone()
        if row is None:
            return None
        number, etag, body, expires_at = row
        if expires_at is not None and expires_at <= self._clock():
            self._sql.execute("DELETE FROM items WHERE number = ?", (number,))
            return None
        return Stored(number, etag, body)

    def _insert(
        self, container: Container, key: str, item_id: str, item: dict[str, Any]
    ) -> Written:
        number = self._next_number
        etag, body, expires_at = self._complete(container, item, number)
        self._sql.execute(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, container.number, key, item_id, expires_at, etag, body),
        )
        self._next_number += 1
        self.writes += 1
        return Written(201, etag, body, len(item))

    def _update(self, container: Container, item: dict[str, Any], found: Stored) -> Written:
        etag, body, expires_at = self._complete(container, item, found.number)
        self._sql.execute(
            "UPDATE items SET expires_at = ?, etag = ?, body = ? WHERE number = ?",
            (expires_at, etag, body, found.number),
        )
        self.writes += 1
        return Written(200, etag, body, len(item))

    def _complete(
        self, container: Container, item: dict[str, Any], number: int
    ) -> tuple[str, bytes, int | None]:
        """Set the system properties. Whatever a client says of them is not listened to."""
        now = int(self._clock())
        expires_at = container.expiry(item, now)
        rid = item_rid(container.database_number, container.number, number)
        etag = f'"{uuid.uuid4()}"'
        item["_rid"] = rid
        item["_self"] = f"{container.self_link}docs/{rid}/"
        item["_etag"] = etag
        item["_attachments"] = "attachments/"
        item["_ts"] = now
        return etag, orjson.dumps(item), expires_at


def _checked(container: Container, key: str, item: Any) -> str:
    """The id of an item that may be written under `key`."""
    if not isinstance(item, dict):
        raise bad_request("The request payload is invalid: an item is a JSON object.")
    item_id = check_item_id(item)
    own_key = from_item(item, container.key_path)
    if own_key != key:
        raise bad_request(
            "PartitionKey extracted from document doesn't match the one specified in the header. "
            f"The document has {_named(own_key, container)}, the header says {key}.",
            SubStatus.PARTITION_KEY_MISMATCH,
        )
    check_size(key, container.key_version)
    return item_id


def _named(key: str, container: Container) -> str:
    path = "/" + "/".join(container.key_path)
    return f"no {path}" if key == UNDEFINED_KEY else f"{path} = {key}"


def check_item_size(size: int) -> None:
    """`size` of the body as it was sent, in bytes. 413 above 2 MiB."""
    if size > MAX_ITEM_BYTES:
        raise too_large()


def _check_match(found: Stored, if_match: str | None) -> None:
    if if_match is not None and if_match != "*" and if_match.strip('"') != found.etag.strip('"'):
        raise precondition_failed()
