"""Inputs of requests: in the group record, or in one blob when they are large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import orjson

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.stores import BlobStore

from .envelope import BlobRange, RequestEvent
from .ids import GroupId
from .item import Item

INLINE_ITEM_BYTES = 64_000
"""A body up to this travels in its event: 100 events of a batch stay within a few MB of memory."""

INLINE_GROUP_BYTES = 1_000_000
"""Inputs up to this are kept in the group record (Cosmos DB takes items up to 2 MiB)."""


def inputs_blob(group_id: str) -> str:
    return f"inputs/{group_id}.jsonl"


@dataclass(frozen=True)
class PackedInputs:
    """A group's items as they are stored: one JSON line each."""

    lines: list[bytes]
    in_blob: bool

    @property
    def blob(self) -> bytes:
        return b"\n".join(self.lines)

    @cached_property
    def ranges(self) -> list[BlobRange]:
        """Where each line lies in the blob."""
        ranges, offset = [], 0
        for line in self.lines:
            ranges.append(BlobRange.model_construct(offset=offset, length=len(line)))
            offset += len(line) + 1
        return ranges

    def is_inline(self, index: int) -> bool:
        """Whether item `index` is small enough to travel in its event."""
        return len(self.lines[index]) <= INLINE_ITEM_BYTES


def pack(items: Sequence[Item]) -> PackedInputs:
    lines = [orjson.dumps(item.record()) for item in items]
    in_blob = sum(map(len, lines)) > INLINE_GROUP_BYTES or any(
        len(line) > INLINE_ITEM_BYTES for line in lines
    )
    return PackedInputs(lines, in_blob)


class InputMissing(Exception):
    """The stored input of an accepted request is not there: its outcome is failed, and says so."""


class Bodies:
    def __init__(self, *, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def body(self, event: RequestEvent, group: GroupId) -> JsonObject:
        """The chat-completions body of an event. Raises InputMissing, DependencyUnavailable."""
        if event.body is not None:
            return event.body
        if event.blob is None:
            raise InputMissing("the event carries neither a body nor its place")
        raw = await self._blobs.read(
            inputs_blob(group.text), offset=event.blob.offset, length=event.blob.length
        )
        if raw is None:
            raise InputMissing("the blob with the group's inputs is gone")
        try:
            return Item.from_record(orjson.loads(raw)).body
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise InputMissing(f"what the blob holds in its place is no input: {error}") from None

    async def all_items(self, group: GroupId, record: JsonObject) -> PackedInputs:
        """Every item of a group, for the sweep. Raises InputMissing, DependencyUnavailable."""
        if not record.get("in_blob"):
            lines = [orjson.dumps(item) for item in record["items"]]
            return PackedInputs(lines, in_blob=False)
        raw = await self._blobs.read(inputs_blob(group.text))
        if raw is None:
            raise InputMissing("the blob with the group's inputs is gone")
        lines = raw.split(b"\n")
        return PackedInputs(lines, in_blob=True)
