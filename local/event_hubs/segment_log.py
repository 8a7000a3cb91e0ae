"""A partition's records on disk, in segment files that survive kill -9.

A segment is named by the sequence number and the offset of its first record and holds records
of `[length, checksum, enqueued time, header length, message]`. The index is rebuilt when a log is
opened; what a crash left half written at the end of the last segment is cut off. Records are
written before they are acknowledged, so a killed process loses nothing; to survive a power cut
too, ask for `fsync`, which costs one disk flush for each message or batch.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from .messages import Record
from .partition import Recovered

SEGMENT_BYTES = 64 << 20
"""Retention deletes whole segments, so a segment is what it may keep too much."""

_HEAD = struct.Struct(">IIqI")
_NAME = re.compile(r"(\d{20})-(\d+)\.log")


class CorruptLog(RuntimeError):
    """A segment that was finished is damaged."""


@dataclass(kw_only=True)
class _Segment:
    path: Path
    descriptor: int
    first_sequence: int
    size: int = 0
    starts: array[int] = field(default_factory=lambda: array("q"))

    @property
    def next_sequence(self) -> int:
        return self.first_sequence + len(self.starts)


class SegmentLog:
    """A `RecordLog` in a directory of its own."""

    def __init__(
        self, directory: Path, *, fsync: bool = False, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._directory = directory
        self._fsync = fsync
        self._segment_bytes = segment_bytes
        self._segments: list[_Segment] = []
        self._next_offset = 0

    def recover(self) -> Recovered:
        """Read every segment, cutting a torn tail off the last one."""
        self._directory.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in self._directory.iterdir())
        matches = [match for match in map(_NAME.fullmatch, names) if match]
        offsets, times = array("q"), array("q")
        for match in matches:
            self._open_segment(match, offsets, times, is_last=match is matches[-1])
        first = self._segments[0].first_sequence if self._segments else 0
        if not self._segments:
            self._start_segment(0)
        return Recovered(first, offsets, times, self._next_offset)

    def _open_segment(
        self, match: re.Match[str], offsets: array[int], times: array[int], *, is_last: bool
    ) -> None:
        path = self._directory / match[0]
        sequence, offset = int(match[1]), int(match[2])
        expected = self._segments[-1].next_sequence if self._segments else sequence
        if sequence != expected:
            raise CorruptLog(
                f"{path} should start at event {expected}: a segment is missing or damaged. "
                f"Delete {self._directory} to start this partition afresh."
            )
        data = path.read_bytes()
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        segment = _Segment(path=path, descriptor=descriptor, first_sequence=sequence)
        self._segments.append(segment)
        view = memoryview(data)
        while (end := _record_end(view, segment.size)) is not None:
            length, _, enqueued_ms, _ = _HEAD.unpack_from(data, segment.size)
            segment.starts.append(segment.size)
            offsets.append(offset)
            times.append(enqueued_ms)
            offset += length
            segment.size = end
        if segment.size < len(data):
            if not is_last:
                raise CorruptLog(
                    f"{path} is damaged at byte {segment.size}, and later segments exist. "
                    f"Delete {self._directory} to start this partition afresh."
                )
            os.ftruncate(descriptor, segment.size)
        self._next_offset = offset

    def _start_segment(self, sequence: int) -> None:
        path = self._directory / f"{sequence:020d}-{self._next_offset}.log"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._segments.append(_Segment(path=path, descriptor=descriptor, first_sequence=sequence))

    def append(self, records: list[Record], *, first_sequence: int, enqueued_ms: int) -> None:
        """Write `records` at the end, all or none."""
        if self._segments[-1].size >= self._segment_bytes:
            self._start_segment(first_sequence)
        segment = self._segments[-1]
        starts: list[int] = []
        pieces: list[bytes] = []
        position = segment.size
        for header_bytes, body in records:
            starts.append(position)
            checksum = zlib.crc32(body)
            pieces += (_HEAD.pack(len(body), checksum, enqueued_ms, header_bytes), body)
            position += _HEAD.size + len(body)
        data = b"".join(pieces)
        try:
            written = os.pwrite(segment.descriptor, data, segment.size)
            if written != len(data):
                raise OSError(f"only {written} of {len(data)} bytes could be written")
            if self._fsync:
                os.fdatasync(segment.descriptor)
        except OSError:
            os.ftruncate(segment.descriptor, segment.size)
            raise
        segment.starts.extend(starts)
        segment.size = position
        self._next_offset += sum(len(record.body) for record in records)

    def read(self, sequence: int, max_records: int, max_bytes: int) -> list[Record]:
        """Records from `sequence` on, of one segment."""
        segment = self._segment_of(sequence)
        starts = segment.starts
        first = sequence - segment.first_sequence
        if first >= len(starts):
            return []
        start = starts[first]
        last = min(first + max_records, len(starts), bisect_right(starts, start + max_bytes))
        end = starts[last] if last < len(starts) else segment.size
        if last > first + 1 and end - start > max_bytes:
            last -= 1
            end = starts[last]
        data = os.pread(segment.descriptor, end - start, start)
        records = []
        for index in range(first, last):
            at = starts[index] - start
            length, _, _, header_bytes = _HEAD.unpack_from(data, at)
            body = at + _HEAD.size
            records.append(Record(header_bytes, data[body : body + length]))
        return records

    def _segment_of(self, sequence: int) -> _Segment:
        for segment in reversed(self._segments):  # readers are mostly near the end
            if segment.first_sequence <= sequence:
                return segment
        raise LookupError(f"event {sequence} is no longer kept")

    def drop_before(self, sequence: int) -> None:
        """Delete the segments that hold nothing from `sequence` on."""
        if self._segments[-1].next_sequence <= sequence and self._segments[-1].size:
            self._start_segment(sequence)
        while len(self._segments) > 1 and self._segments[1].first_sequence <= sequence:
            segment = self._segments.pop(0)
            os.close(segment.descriptor)
            segment.path.unlink()

    def close(self) -> None:
        """Close the segment files."""
        for segment in self._segments:
            os.close(segment.descriptor)
        self._segments.clear()


def _record_end(data: memoryview, start: int) -> int | None:
    """Where the record at `start` ends; None if there is no whole and sound one.

    No record is empty: a length of zero is what a file system leaves behind after a power cut.
    """
    body = start + _HEAD.size
    if body > len(data):
        return None
    length, checksum, _, header_bytes = _HEAD.unpack_from(data, start)
    end = body + int(length)
    if (
        not length
        or end > len(data)
        or header_bytes > length
        or zlib.crc32(data[body:end]) != checksum
    ):
        return None
    return end
