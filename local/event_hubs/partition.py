"""One partition: an ordered log of records, with an index to find positions in it."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import NamedTuple, Protocol

from .errors import Condition, DeliveryRejected, LinkRefused
from .messages import Event, Record, stamp
from .positions import PositionKind, StartingPosition

READ_BYTES = 1 << 20
"""How much one read returns at most, beyond its first record: what a slow client can hold up."""


class Retention(NamedTuple):
    """How long and how much a partition keeps; None is without limit."""

    seconds: float | None = 24 * 3600.0
    bytes: int | None = None


class Recovered(NamedTuple):
    """What a log holds when it is opened: one offset and one time per record."""

    first_sequence: int
    offsets: array[int]
    enqueued_ms: array[int]
    next_offset: int


class RecordLog(Protocol):
    """Where a partition's records are kept, in the order of their sequence numbers."""

    def recover(self) -> Recovered:
        """What was kept before this process started."""

    def append(self, records: list[Record], *, first_sequence: int, enqueued_ms: int) -> None:
        """Keep all of `records` or, raising `OSError`, none."""

    def read(self, sequence: int, max_records: int, max_bytes: int) -> list[Record]:
        """Records from `sequence` on, at least one if there is one."""

    def drop_before(self, sequence: int) -> None:
        """Records before `sequence` are no longer needed."""

    def close(self) -> None:
        """Give back files."""


class PartitionProperties(NamedTuple):
    """What `$management` says about a partition; times in milliseconds since the epoch."""

    first_sequence: int
    last_sequence: int
    last_offset: int
    last_enqueued_ms: int
    is_empty: bool


NEVER_MS = -62_135_596_800_000
"""0001-01-01: the enqueued time that the service gives for a partition nothing was sent to."""


class Partition:
    """A partition of a hub: assigns sequence number, offset and enqueued time; retains by age."""

    def __init__(
        self,
        *,
        partition_id: str,
        log: RecordLog,
        retention: Retention,
        clock: Callable[[], float],
    ) -> None:
        self.id = partition_id
        self._log = log
        self._retention = retention
        self._clock = clock
        recovered = log.recover()
        self.first_sequence = recovered.first_sequence
        self._offsets = recovered.offsets
        self._times = recovered.enqueued_ms
        self._next_offset = recovered.next_offset
        # Of a partition that retention emptied only the bound is known; it serves as well.
        self._last_offset = self._offsets[-1] if self._offsets else self._next_offset - 1
        self._last_ms = self._times[-1] if self._times else NEVER_MS
        self._readers: set[Callable[[], None]] = set()
        self.expire()
        self._limit_bytes()

    @property
    def next_sequence(self) -> int:
        """The sequence number that the next event will get."""
        return self.first_sequence + len(self._offsets)

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each append."""
        self._readers.add(wake)

    def unsubscribe(self, wake: Callable[[], None]) -> None:
        """Undo `subscribe`; harmless when there was none."""
        self._readers.discard(wake)

    def append(self, events: list[Event]) -> None:
        """Store `events` in order, all or none. Raises `DeliveryRejected` if they cannot be."""
        now = max(int(self._clock() * 1000), self._last_ms)
        sequence, offset = self.next_sequence, self._next_offset
        records: list[Record] = []
        offsets: list[int] = []
        for event in events:
            record = stamp(event, sequence=sequence + len(records), offset=offset, enqueued_ms=now)
            records.append(record)
            offsets.append(offset)
            offset += len(record.body)
        if not records:
            return
        try:
            self._log.append(records, first_sequence=sequence, enqueued_ms=now)
        except OSError as error:
            raise DeliveryRejected(
                Condition.INTERNAL_ERROR,
                f"The events could not be stored ({error}): make room where --data points to.",
            ) from error
        self._offsets.extend(offsets)
        self._times.extend([now] * len(records))
        self._next_offset, self._last_offset, self._last_ms = offset, offsets[-1], now
        self._limit_bytes()
        for wake in tuple(self._readers):
            wake()

    def read(self, sequence: int, max_records: int) -> list[Record]:
        """Records from `sequence` on, which must be within what is kept."""
        return self._log.read(sequence, max_records, READ_BYTES)

    def expire(self) -> None:
        """Forget what is older than the retention."""
        if self._retention.seconds is not None and self._times:
            horizon = int((self._clock() - self._retention.seconds) * 1000)
            if self._times[0] < horizon:
                self._forget(bisect_left(self._times, horizon))

    def _limit_bytes(self) -> None:
        # A tenth of slack, so that a full partition does not trim at every append.
        limit = self._retention.bytes
        if limit is None or not self._offsets:
            return
        if self._next_offset - self._offsets[0] > limit * 1.1:
            self._forget(bisect_left(self._offsets, self._next_offset - limit))

    def _forget(self, count: int) -> None:
        del self._offsets[:count]
        del self._times[:count]
        self.first_sequence += count
        self._log.drop_before(self.first_sequence)

    def find(self, position: StartingPosition) -> int:
        """The sequence number of the first event to deliver.

        A position that is older than what is kept starts at the oldest event, as in Azure.
        Raises `LinkRefused` for a position beyond the end, with the service's words.
        """
        self.expire()
        find = bisect_left if position.inclusive else bisect_right
        if position.kind is PositionKind.LATEST:
            return self.next_sequence
        if position.kind is PositionKind.ENQUEUED_TIME:
            return self.first_sequence + find(self._times, position.value)
        if position.kind is PositionKind.OFFSET:
            if position.value > self._last_offset:
                raise LinkRefused(
                    Condition.ARGUMENT_ERROR,
                    f"The supplied offset '{position.value}' is invalid. "
                    f"The last offset in the system is '{self._last_offset}'",
                )
            return self.first_sequence + find(self._offsets, position.value)
        last = self.next_sequence - 1
        if position.value > last:
            raise LinkRefused(
                Condition.ARGUMENT_ERROR,
                f"The supplied sequence number '{position.value}' is invalid. "
                f"The last sequence number in the system is '{last}'",
            )
        return max(position.value + (not position.inclusive), self.first_sequence)

    def properties(self) -> PartitionProperties:
        """Where the partition begins and ends just now."""
        self.expire()
        return PartitionProperties(
            first_sequence=self.first_sequence,
            last_sequence=self.next_sequence - 1,
            last_offset=self._last_offset,
            last_enqueued_ms=self._last_ms,
            is_empty=not self._offsets,
        )

    def close(self) -> None:
        """Give back files."""
        self._log.close()
