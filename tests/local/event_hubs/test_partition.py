"""A partition numbers, dates, retains and finds its events, in memory and on disk alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.event_hubs import codec
from local.event_hubs.errors import AmqpError, Condition, LinkRefused
from local.event_hubs.memory_log import MemoryLog
from local.event_hubs.messages import DATA, Event, Record
from local.event_hubs.partition import Partition, RecordLog, Retention
from local.event_hubs.positions import FROM_START, PositionKind, StartingPosition
from local.event_hubs.segment_log import SegmentLog
from tests.local.event_hubs.support import Clock

LATEST = StartingPosition(PositionKind.LATEST, 0, False)
Opener = Callable[..., Partition]


def event(body: bytes = b"x") -> Event:
    return Event(b"", b"", 0, codec.described(DATA, body))


@pytest.fixture(params=["memory", "segments"])
def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Opener]:
    """Opens a partition; its segments are small, so that there are several."""
    opened: list[Partition] = []

    def open_partition(retention: Retention = Retention(None, None)) -> Partition:  # noqa: B008
        log: RecordLog = (
            MemoryLog()
            if request.param == "memory"
            else SegmentLog(tmp_path / "0", segment_bytes=1_000)
        )
        partition = Partition(partition_id="0", log=log, retention=retention, clock=clock)
        opened.append(partition)
        return partition

    yield open_partition
    for partition in opened:
        partition.close()


@pytest.fixture
def partition(opener: Opener) -> Partition:
    return opener()


def bodies(partition: Partition, start: int, count: int = 1_000) -> list[Record]:
    """All records from `start` on: a read may stop early."""
    records: list[Record] = []
    while start + len(records) < partition.next_sequence and len(records) < count:
        records += partition.read(start + len(records), count - len(records))
    return records


def test_a_new_partition_is_empty(partition: Partition) -> None:
    properties = partition.properties()
    assert properties.is_empty
    assert (properties.first_sequence, properties.last_sequence) == (0, -1)
    assert properties.last_offset == -1
    assert partition.find(FROM_START) == partition.find(LATEST) == 0


def test_events_are_numbered_without_gaps_and_offsets_count_bytes(partition: Partition) -> None:
    partition.append([event(), event(b"y" * 1_000)])
    partition.append([event()])
    records = bodies(partition, 0)
    assert len(records) == 3
    assert partition.properties().last_sequence == 2
    assert partition.properties().last_offset == sum(len(r.body) for r in records[:2])


def test_enqueued_times_never_go_back(partition: Partition, clock: Clock) -> None:
    partition.append([event()])
    first = partition.properties().last_enqueued_ms
    clock.now -= 3_600
    partition.append([event()])
    assert partition.properties().last_enqueued_ms == first


def test_readers_are_woken_by_an_append_until_they_leave(partition: Partition) -> None:
    woken: list[int] = []

    def wake() -> None:
        woken.append(partition.next_sequence)

    partition.subscribe(wake)
    partition.append([event(), event()])
    partition.unsubscribe(wake)
    partition.append([event()])
    assert woken == [2]


@pytest.mark.parametrize("kind", [PositionKind.OFFSET, PositionKind.SEQUENCE_NUMBER])
def test_a_position_is_inclusive_or_the_one_after(partition: Partition, kind: PositionKind) -> None:
    partition.append([event() for _ in range(10)])
    offset = sum(len(record.body) for record in bodies(partition, 0)[:4])
    value = offset if kind is PositionKind.OFFSET else 4
    assert partition.find(StartingPosition(kind, value, True)) == 4
    assert partition.find(StartingPosition(kind, value, False)) == 5


def test_an_enqueued_time_finds_the_first_event_at_or_after_it(
    partition: Partition, clock: Clock
) -> None:
    partition.append([event(), event()])
    noted = partition.properties().last_enqueued_ms
    clock.now += 10
    partition.append([event()])
    at = PositionKind.ENQUEUED_TIME
    assert partition.find(StartingPosition(at, noted, True)) == 0
    assert partition.find(StartingPosition(at, noted, False)) == 2
    assert partition.find(StartingPosition(at, noted + 60_000, False)) == 3


@pytest.mark.parametrize("events", [0, 3], ids=["empty", "three events"])
@pytest.mark.parametrize("kind", [PositionKind.OFFSET, PositionKind.SEQUENCE_NUMBER])
def test_a_position_beyond_the_end_is_refused_in_azures_words(
    partition: Partition, kind: PositionKind, events: int
) -> None:
    partition.append([event() for _ in range(events)])
    with pytest.raises(LinkRefused, match=r"is invalid\. The last .* in the system is") as refused:
        partition.find(StartingPosition(kind, 1_000_000, False))
    assert refused.value.condition == Condition.ARGUMENT_ERROR


def test_after_the_last_event_is_the_end(partition: Partition) -> None:
    partition.append([event(), event()])
    properties = partition.properties()
    last_offset = StartingPosition(PositionKind.OFFSET, properties.last_offset, False)
    assert partition.find(last_offset) == 2
    assert partition.find(StartingPosition(PositionKind.SEQUENCE_NUMBER, 1, False)) == 2


def test_events_older_than_the_retention_are_gone(opener: Opener, clock: Clock) -> None:
    partition = opener(Retention(seconds=60))
    partition.append([event() for _ in range(30)])
    clock.now += 40
    partition.append([event() for _ in range(5)])
    assert partition.properties().first_sequence == 0
    clock.now += 30
    partition.expire()
    assert partition.properties().first_sequence == 30
    assert len(bodies(partition, 30)) == 5
    clock.now += 60
    assert partition.properties().is_empty
    assert partition.properties().last_sequence == 34


def test_a_position_that_has_expired_starts_at_the_oldest_event(
    opener: Opener, clock: Clock
) -> None:
    partition = opener(Retention(seconds=60))
    partition.append([event() for _ in range(30)])
    last = partition.properties().last_offset
    clock.now += 61
    partition.append([event()])
    assert partition.find(FROM_START) == 30
    assert partition.find(StartingPosition(PositionKind.SEQUENCE_NUMBER, 3, False)) == 30
    assert partition.find(StartingPosition(PositionKind.OFFSET, last, False)) == 30


def test_a_checkpoint_at_the_end_is_still_valid_when_everything_has_expired(
    opener: Opener, clock: Clock
) -> None:
    partition = opener(Retention(seconds=60))
    partition.append([event() for _ in range(30)])
    last = partition.properties().last_offset
    clock.now += 61
    assert partition.find(StartingPosition(PositionKind.OFFSET, last, False)) == 30


def test_a_partition_keeps_no_more_bytes_than_it_is_told(opener: Opener) -> None:
    partition = opener(Retention(seconds=None, bytes=50_000))
    for _ in range(200):
        partition.append([event(b"z" * 1_000)])
    properties = partition.properties()
    kept = bodies(partition, properties.first_sequence)
    assert properties.last_sequence == 199
    assert 45_000 <= sum(len(record.body) for record in kept) <= 55_000


def test_a_read_is_bounded_in_bytes_but_never_empty(partition: Partition) -> None:
    partition.append([event(b"z" * 900_000) for _ in range(4)])
    assert len(partition.read(0, 100)) == 1
    partition.append([event(b"z" * 1_040_000)])
    assert len(partition.read(4, 100)) == 1


class FullDisk(MemoryLog):
    """A log with no room."""

    def append(self, records: list[Record], *, first_sequence: int, enqueued_ms: int) -> None:
        raise OSError(28, "No space left on device")


def test_when_events_cannot_be_stored_their_sender_is_told_and_nothing_is_numbered(
    clock: Clock,
) -> None:
    partition = Partition(partition_id="0", log=FullDisk(), retention=Retention(), clock=clock)
    with pytest.raises(AmqpError, match="make room where --data points to"):
        partition.append([event()])
    assert partition.properties().is_empty
