"""Inputs of requests: in the event, in the group record, or in one blob when they are large."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

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
    """One JSON line for each item."""
    return f"inputs/{group_id}.jsonl"


def offsets_blob(group_id: str) -> str:
    """Where each line of the inputs begins, and where the last one ends (see LineOffsets)."""
    return f"inputs/{group_id}.offsets"


class InputMissing(Exception):
    """The stored input of an accepted request is not there: its outcome is failed, and says so."""


class LineOffsets:
    """Where the lines of an inputs blob lie, so that one of them can be read without the others.

    Stored as unsigned 64-bit little-endian numbers: the offset of each line, then the offset at
    which one more line would begin.
    """

    def __init__(self, starts: array[int]) -> None:
        self._starts = starts

    @classmethod
    def of(cls, lines: Sequence[bytes]) -> LineOffsets:
        starts, at = array("Q"), 0
        for line in lines:
            starts.append(at)
            at += len(line) + 1  # the line break
        starts.append(at)
        return cls(starts)

    @classmethod
    def decode(cls, raw: bytes, *, count: int) -> LineOffsets:
        """Raises ValueError if these are not the offsets of `count` lines in ascending order."""
        starts = array("Q")
        starts.frombytes(raw)
        if _IS_BIG_ENDIAN:
            starts.byteswap()
        ordered = all(start < end for start, end in pairwise(starts))
        if len(starts) != count + 1 or starts[0] != 0 or not ordered:
            raise ValueError(f"not the offsets of {count} lines")
        return cls(starts)

    def encode(self) -> bytes:
        if not _IS_BIG_ENDIAN:
            return self._starts.tobytes()
        swapped = array("Q", self._starts)
        swapped.byteswap()
        return swapped.tobytes()

    def __len__(self) -> int:
        return len(self._starts) - 1

    def place(self, index: int) -> BlobRange:
        start = self._starts[index]
        length = self._starts[index + 1] - start - 1
        return BlobRange.model_construct(offset=start, length=length)


_IS_BIG_ENDIAN = array("H", [1]).tobytes() == b"\0\1"


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item of a group as it is stored."""

    index: int
    item: Item
    line: bytes
    place: BlobRange | None
    """In the group's blob; None if its inputs are in the group record."""

    @property
    def is_inline(self) -> bool:
        """Whether it is small enough to travel in its event."""
        return len(self.line) <= INLINE_ITEM_BYTES


@dataclass(frozen=True)
class PackedInputs:
    """The items of a group that is being accepted, one JSON line each."""

    items: Sequence[Item]
    lines: list[bytes]
    in_blob: bool

    @property
    def blob(self) -> bytes:
        return b"\n".join(self.lines)

    @cached_property
    def offsets(self) -> LineOffsets:
        return LineOffsets.of(self.lines)

    def stored(self, *, start: int = 0) -> Iterator[StoredItem]:
        """From the item with the index `start` on."""
        for index in range(start, len(self.lines)):
            place = self.offsets.place(index) if self.in_blob else None
            yield StoredItem(index, self.items[index], self.lines[index], place)


def pack(items: Sequence[Item]) -> PackedInputs:
    lines = [orjson.dumps(item.record()) for item in items]
    in_blob = sum(map(len, lines)) > INLINE_GROUP_BYTES or any(
        len(line) > INLINE_ITEM_BYTES for line in lines
    )
    return PackedInputs(items, lines, in_blob)


def read_item(line: bytes) -> Item:
    """An item from its stored line. Raises InputMissing if it cannot be read as one."""
    try:
        return Item.from_record(orjson.loads(line))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputMissing(f"the stored input cannot be read: {error}") from None


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
        return read_item(raw).body
