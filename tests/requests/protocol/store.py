"""A container of documents in memory: creates, upserts, and reads as of an earlier time."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.ledger.slots import is_slot

if TYPE_CHECKING:
    from .world import World


class Container:
    def __init__(self, world: World, *, key: str) -> None:
        self._world = world
        self._key = key
        self._log: defaultdict[str, list[tuple[float, JsonObject]]] = defaultdict(list)
        self._ids: set[tuple[str, str]] = set()
        self.down_until = 0.0
        self.reads_down_until = 0.0
        self.visible_until = float("inf")
        """What was committed after this time no reader sees, however often he looks."""

    def create(self, record: JsonObject, by: str = "a test") -> bool:
        """Whether it landed; False if there is a record of this id."""
        place = (record[self._key], record["id"])
        label = self.label(record)
        if place in self._ids:
            self._world.say(f"{by} creates {label}: refused")
            return False
        self._world.say(f"{by} creates {label}")
        self._ids.add(place)
        self._log[place[0]].append((self._world.now(), record))
        if is_slot(record):
            self._world.books.committed(record, now=self._world.now())
        return True

    def upsert(self, record: JsonObject) -> None:
        self._ids.add((record[self._key], record["id"]))
        self._log[record[self._key]].append((self._world.now(), record))

    def partition(self, key: str, as_of: float = float("inf")) -> list[JsonObject]:
        newest: dict[str, JsonObject] = {}
        for at, record in self._log[key]:
            if at <= min(as_of, self.visible_until):
                newest[record["id"]] = record
        return list(newest.values())

    def everything(self) -> list[tuple[str, JsonObject]]:
        """Every partition key with every record under it."""
        return [(key, record) for key in list(self._log) for record in self.partition(key)]

    def of_request(self, request_id: str, as_of: float) -> list[JsonObject]:
        slice_id = self._world.slice_of(request_id)
        return [r for r in self.partition(slice_id, as_of) if r.get("request_id") == request_id]

    def get(self, key: str, record_id: str, as_of: float) -> JsonObject | None:
        return next((r for r in self.partition(key, as_of) if r["id"] == record_id), None)

    def label(self, record: JsonObject) -> str:
        if is_slot(record):
            return f"{record['kind']} {self._world.books.name(record['request_id'])}:{record['n']}"
        return str(record.get("type", "record"))
