"""Databases and containers: their resources, and the containers as operations need them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import orjson

from .containers import Container, check_name, complete_definition
from .database import Database
from .errors import conflict, not_found, owner_not_found
from .indexing import IndexingPolicy
from .rids import container_rid, database_rid

Resource = dict[str, Any]


class Catalog:
    """What databases and containers there are. Every method may raise `CosmosError`."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._sql = database.connection
        self._clock = clock
        self._containers: dict[tuple[str, str], Container] = {}
        self._renew_container_rids()

    def _renew_container_rids(self) -> None:
        """Resource ids that an older version wrote lack the bit that .NET's client looks for."""
        rows = self._sql.execute("SELECT database, number, body FROM containers").fetchall()
        for database, number, body in rows:
            resource, rid = orjson.loads(body), container_rid(database, number)
            if resource["_rid"] == rid:
                continue
            resource |= {"_rid": rid, "_self": f"dbs/{database_rid(database)}/colls/{rid}/"}
            self._sql.execute(
                "UPDATE containers SET body = ? WHERE number = ?", (_dumps(resource), number)
            )

    # -- databases

    def create_database(self, body: Any) -> Resource:
        """409 if it exists."""
        name = check_name(body)
        if self._sql.execute("SELECT 1 FROM databases WHERE id = ?", (name,)).fetchone():
            raise conflict()
        with self._database.transaction():
            number = (
                self._sql.execute(
                    "INSERT INTO databases (id, body) VALUES (?, '')", (name,)
                ).lastrowid
                or 0
            )
            rid = database_rid(number)
            resource = {
                "id": name,
                "_rid": rid,
                "_self": f"dbs/{rid}/",
                "_etag": _etag(),
                "_colls": "colls/",
                "_users": "users/",
                "_ts": int(self._clock()),
            }
            self._sql.execute(
                "UPDATE databases SET body = ? WHERE number = ?", (_dumps(resource), number)
            )
        return resource

    def databases(self) -> list[Resource]:
        """All of them."""
        rows = self._sql.execute("SELECT body FROM databases ORDER BY number").fetchall()
        return [orjson.loads(body) for (body,) in rows]

    def read_database(self, name: str) -> Resource:
        """404 if it does not exist."""
        row = self._sql.execute("SELECT body FROM databases WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise not_found()
        return dict(orjson.loads(row[0]))

    def delete_database(self, name: str) -> None:
        """With everything in it."""
        self.read_database(name)
        number = self._number(name)
        with self._database.transaction():
            self._sql.execute(
                "DELETE FROM items WHERE container IN "
                "(SELECT number FROM containers WHERE database = ?)",
                (number,),
            )
            self._sql.execute("DELETE FROM containers WHERE database = ?", (number,))
            self._sql.execute("DELETE FROM databases WHERE number = ?", (number,))
        self._containers.clear()

    # -- containers

    def create_container(self, database: str, body: Any) -> Resource:
        """409 if it exists, 404 without its database, 400 for a definition that Azure refuses."""
        number = self._number(database)
        name = check_name(body)
        definition = complete_definition(body)
        if self._sql.execute(
            "SELECT 1 FROM containers WHERE database = ? AND id = ?", (number, name)
        ).fetchone():
            raise conflict()
        with self._database.transaction():
            inserted = (
                self._sql.execute(
                    "INSERT INTO containers (database, id, body) VALUES (?, ?, '')", (number, name)
                ).lastrowid
                or 0
            )
            rid = container_rid(number, inserted)
            resource = {
                **definition,
                "_rid": rid,
                "_self": f"dbs/{database_rid(number)}/colls/{rid}/",
                "_etag": _etag(),
                "_ts": int(self._clock()),
                "_docs": "docs/",
                "_sprocs": "sprocs/",
                "_triggers": "triggers/",
                "_udfs": "udfs/",
                "_conflicts": "conflicts/",
            }
            self._sql.execute(
                "UPDATE containers SET body = ? WHERE number = ?", (_dumps(resource), inserted)
            )
        return resource

    def containers(self, database: str) -> list[Resource]:
        """All of a database."""
        rows = self._sql.execute(
            "SELECT body FROM containers WHERE database = ? ORDER BY number",
            (self._number(database),),
        ).fetchall()
        return [orjson.loads(body) for (body,) in rows]

    def read_container(self, database: str, name: str) -> Resource:
        """404 if it does not exist."""
        row = self._sql.execute(
            "SELECT body FROM containers WHERE database = ? AND id = ?",
            (self._number(database), name),
        ).fetchone()
        if row is None:
            raise not_found()
        return dict(orjson.loads(row[0]))

    def delete_container(self, database: str, name: str) -> None:
        """With everything in it."""
        self.read_container(database, name)
        number = self.container(database, name).number
        with self._database.transaction():
            self._sql.execute("DELETE FROM items WHERE container = ?", (number,))
            self._sql.execute("DELETE FROM containers WHERE number = ?", (number,))
        self._containers.clear()

    def container(self, database: str, name: str) -> Container:
        """For operations on its items; kept, since each of them asks. 404/1003 if missing."""
        found = self._containers.get((database, name))
        if found is None:
            found = self._containers[(database, name)] = self._load(database, name)
        return found

    def _load(self, database: str, name: str) -> Container:
        row = self._sql.execute(
            "SELECT databases.number, containers.number, containers.body FROM containers "
            "JOIN databases ON databases.number = containers.database "
            "WHERE databases.id = ? AND containers.id = ?",
            (database, name),
        ).fetchone()
        if row is None:
            raise owner_not_found()
        database_number, number, body = row
        resource = orjson.loads(body)
        key = resource["partitionKey"]
        return Container(
            database_number=database_number,
            number=number,
            name=f"{database}/{name}",
            id=name,
            rid=resource["_rid"],
            path=f"dbs/{database}/colls/{name}",
            self_link=resource["_self"],
            key_path=tuple(key["paths"][0].strip("/").split("/")),
            key_version=key["version"],
            default_ttl=resource.get("defaultTtl"),
            indexing=IndexingPolicy.parse(resource["indexingPolicy"]),
        )

    def names_of(self, container_number: int) -> tuple[str, str]:
        """The names of a database and its container, addressed by resource id. 404/1003 if none."""
        row = self._sql.execute(
            "SELECT databases.id, containers.id FROM containers "
            "JOIN databases ON databases.number = containers.database "
            "WHERE containers.number = ?",
            (container_number,),
        ).fetchone()
        if row is None:
            raise owner_not_found()
        return str(row[0]), str(row[1])

    def _number(self, database: str) -> int:
        row = self._sql.execute("SELECT number FROM databases WHERE id = ?", (database,)).fetchone()
        if row is None:
            raise owner_not_found()
        return int(row[0])


def _etag() -> str:
    return f'"{uuid.uuid4()}"'


def _dumps(resource: Resource) -> str:
    return orjson.dumps(resource).decode()
