"""A partition's records in memory, for tests."""

from __future__ import annotations

from array import array

from .messages import Record
from .partition import Recovered


class MemoryLog:
    """A `RecordLog` that ends with its process."""

    def __init__(self) -> None:
        self._first = 0
        self._records: list[Record] = []

    def recover(self) -> Recovered:
        """Nothing: a new log."""
        return Recovered(0, array("q"), array("q"), 0)

    def append(self, records: list[Record], *, first_sequence: int, enqueued_ms: int) -> None:
        """Keep `records`."""
        self._records += records

    def read(self, sequence: int, max_records: int, max_bytes: int) -> list[Record]:
        """Records from `sequence` on, at least one if there is one."""
        start = sequence - self._first
        records = self._records[start : start + max_records]
        total = 0
        for index, record in enumerate(records):
            total += len(record.body)
            if total > max_bytes and index:
                return records[:index]
        return records

    def drop_before(self, sequence: int) -> None:
        """Forget what is before `sequence`."""
        del self._records[: sequence - self._first]
        self._first = sequence

    def close(self) -> None:
        """Nothing to give back."""
