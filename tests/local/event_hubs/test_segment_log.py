"""What was acknowledged is still there after a crash, and what was half written is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.event_hubs import codec
from local.event_hubs.messages import DATA, Event
from local.event_hubs.partition import Partition, Retention
from local.event_hubs.positions import FROM_START, PositionKind, StartingPosition
from local.event_hubs.segment_log import CorruptLog, SegmentLog
from tests.local.event_hubs.support import Clock


def open_partition(
    directory: Path, clock: Clock, *, seconds: float | None = None, segment_bytes: int = 2_000
) -> Partition:
    log = SegmentLog(directory, segment_bytes=segment_bytes, fsync=True)
    return Partition(partition_id="0", log=log, retention=Retention(seconds=seconds), clock=clock)


def append(partition: Partition, count: int, size: int = 100) -> None:
    for index in range(count):
        body = bytes([index % 256]) * size
        partition.append([Event(b"", b"", 0, codec.described(DATA, body))])


def all_bodies(partition: Partition) -> list[bytes]:
    found: list[bytes] = []
    sequence = partition.find(FROM_START)
    while sequence < partition.next_sequence:
        records = partition.read(sequence, 100)
        found += [record.body for record in records]
        sequence += len(records)
    return found


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.log"))


def test_everything_is_there_when_a_log_is_opened_again(tmp_path: Path, clock: Clock) -> None:
    partition = open_partition(tmp_path, clock)
    append(partition, 50)
    before, properties = all_bodies(partition), partition.properties()
    partition.close()
    assert len(segments(tmp_path)) > 2
    again = open_partition(tmp_path, clock)
    assert all_bodies(again) == before
    assert again.properties() == properties
    append(again, 1)
    assert again.properties().last_sequence == 50
    again.close()


@pytest.mark.parametrize("lost", [1, 5, 100, 140, 150, 170], ids=lambda n: f"{n} bytes lost")
def test_a_torn_tail_is_cut_off_and_writing_goes_on(
    tmp_path: Path, clock: Clock, lost: int
) -> None:
    partition = open_partition(tmp_path, clock, segment_bytes=1 << 20)
    append(partition, 10)
    before = all_bodies(partition)
    partition.close()
    (path,) = segments(tmp_path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - lost)
    again = open_partition(tmp_path, clock)
    assert all_bodies(again) == before[:9]
    append(again, 1)
    assert len(all_bodies(again)) == 10
    again.close()


@pytest.mark.parametrize("tail", [b"\0" * 500, b"\xff" * 500], ids=["zeros", "noise"])
def test_what_a_power_cut_leaves_at_the_end_is_cut_off(
    tmp_path: Path, clock: Clock, tail: bytes
) -> None:
    partition = open_partition(tmp_path, clock, segment_bytes=1 << 20)
    append(partition, 3)
    before = all_bodies(partition)
    partition.close()
    (path,) = segments(tmp_path)
    with path.open("ab") as file:
        file.write(tail)
    again = open_partition(tmp_path, clock)
    assert all_bodies(again) == before
    again.close()


def test_a_flipped_bit_in_the_last_record_is_a_torn_tail(tmp_path: Path, clock: Clock) -> None:
    partition = open_partition(tmp_path, clock, segment_bytes=1 << 20)
    append(partition, 3)
    partition.close()
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    again = open_partition(tmp_path, clock)
    assert again.next_sequence == 2
    again.close()


def test_damage_in_an_older_segment_is_loud_and_says_what_to_delete(
    tmp_path: Path, clock: Clock
) -> None:
    partition = open_partition(tmp_path, clock)
    append(partition, 50)
    partition.close()
    oldest = segments(tmp_path)[0]
    data = bytearray(oldest.read_bytes())
    data[200] ^= 1
    oldest.write_bytes(data)
    with pytest.raises(CorruptLog, match=r"Delete .* to start this partition afresh"):
        open_partition(tmp_path, clock)


def test_a_missing_segment_is_loud(tmp_path: Path, clock: Clock) -> None:
    partition = open_partition(tmp_path, clock)
    append(partition, 50)
    partition.close()
    segments(tmp_path)[1].unlink()
    with pytest.raises(CorruptLog, match="missing or damaged"):
        open_partition(tmp_path, clock)


def test_segments_that_have_expired_are_deleted_and_numbers_go_on_after_a_restart(
    tmp_path: Path, clock: Clock
) -> None:
    partition = open_partition(tmp_path, clock, seconds=60)
    append(partition, 50)
    last = partition.properties().last_offset
    clock.now += 61
    partition.expire()
    assert sum(path.stat().st_size for path in segments(tmp_path)) == 0
    partition.close()
    again = open_partition(tmp_path, clock, seconds=60)
    assert again.find(StartingPosition(PositionKind.OFFSET, last, False)) == 50
    append(again, 1)
    assert again.properties().first_sequence == again.properties().last_sequence == 50
    assert again.properties().last_offset > last
    again.close()


def test_events_that_expired_while_the_server_was_down_are_not_delivered(
    tmp_path: Path, clock: Clock
) -> None:
    partition = open_partition(tmp_path, clock, seconds=60)
    append(partition, 5)
    partition.close()
    clock.now += 61
    again = open_partition(tmp_path, clock, seconds=60)
    assert again.properties().is_empty
    again.close()
