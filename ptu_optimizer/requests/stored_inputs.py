"""Reading the inputs of an accepted group back, item by item: for the sweep."""

from __future__ import annotations

import orjson

from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.stores import BlobStore, GroupStore
from ptu_optimizer.telemetry import logger

from .bodies import (
    InputMissing,
    LineOffsets,
    StoredItem,
    inputs_blob,
    offsets_blob,
    read_item,
)
from .envelope import BlobRange
from .groups import GroupRecord
from .ids import GroupId

_log = logger("inputs")

WINDOW_BYTES = 4_000_000
"""Read of a blob at a time. The sweep walks through a group in order, so one read serves many
items, and a group of 200 MB does not have to fit into memory."""


class StoredInputs:
    """The inputs of one group. Nothing is read before an item is asked for.

    Every method raises InputMissing and DependencyUnavailable.
    """

    def __init__(
        self, group: GroupId, record: GroupRecord, *, groups: GroupStore, blobs: BlobStore
    ) -> None:
        """`record` may be without `items`, as a query gives it."""
        self._group = group
        self._record = record
        self._groups = groups
        self._blobs = blobs
        self._lines: list[bytes] | None = None
        """All of them, from the group record."""
        self._offsets: LineOffsets | None = None
        self._window = b""
        self._window_start = 0

    async def item(self, index: int) -> StoredItem:
        if self._lines is None and self._offsets is None:
            await self._find()
        if self._offsets is not None:
            place = self._offsets.place(index)
            line = await self._read(place)
            return StoredItem(index, read_item(line), line, place)
        lines = self._lines or []
        if index >= len(lines):
            raise InputMissing(f"the group has stored inputs for {len(lines)} requests only")
        return StoredItem(index, read_item(lines[index]), lines[index], None)

    async def _find(self) -> None:
        if not self._record.in_blob:
            self._lines = [orjson.dumps(item) for item in await self._items_of_record()]
            return
        raw = await self._blobs.read(offsets_blob(self._group.text))
        if raw is not None:
            try:
                self._offsets = LineOffsets.decode(raw, count=self._group.count)
            except ValueError as error:
                _log.warning(
                    "offsets of inputs are damaged",
                    extra={"group": self._group.text, "reason": str(error)},
                )
            else:
                return
        # also for a group of a release that wrote no offsets: read all of it, once
        blob = await self._blobs.read(inputs_blob(self._group.text))
        if blob is None:
            raise InputMissing("the blob with the group's inputs is gone")
        lines = blob.split(b"\n")
        if len(lines) != self._group.count:
            raise InputMissing(f"the blob holds {len(lines)} inputs, not {self._group.count}")
        self._offsets = LineOffsets.of(lines)
        self._window = blob

    async def _items_of_record(self) -> list[dict[str, object]]:
        items = self._record.items
        if items is None:
            full = await self._groups.read(self._group.bucket, self._group.text)
            if full is None:
                raise DependencyUnavailable("Cosmos DB", "a group record is not visible")
            items = GroupRecord.from_record(full).items
        return list(items or ())

    async def _read(self, place: BlobRange) -> bytes:
        start = place.offset - self._window_start
        if not 0 <= start <= len(self._window) - place.length:
            length = max(WINDOW_BYTES, place.length)
            window = await self._blobs.read(
                inputs_blob(self._group.text), offset=place.offset, length=length
            )
            if window is None:
                raise InputMissing("the blob with the group's inputs is gone")
            self._window, self._window_start, start = window, place.offset, 0
        line = self._window[start : start + place.length]
        if len(line) < place.length:
            raise InputMissing("the blob with the group's inputs was cut short")
        return line
