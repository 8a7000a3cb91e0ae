"""Event hubs by name, with their partitions and consumer groups."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .errors import AmqpError, Condition
from .memory_log import MemoryLog
from .partition import Partition, Retention
from .partition_key import partition_for_key
from .receivers import ReceiverGroup
from .segment_log import SegmentLog

DEFAULT_CONSUMER_GROUP = "$Default"
MAX_PARTITIONS = 32
"""Of an event hub in the Standard tier, and of Microsoft's emulator."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}")


class Hub:
    """An event hub. Names are compared without regard to case, as in Azure."""

    def __init__(
        self,
        *,
        name: str,
        created_ms: int,
        partitions: Sequence[Partition],
        consumer_groups: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.created_ms = created_ms
        self.partitions = {partition.id: partition for partition in partitions}
        self._by_index = list(partitions)
        self._turns = itertools.count()
        self._receivers = {
            (group.lower(), partition.id): ReceiverGroup()
            for group in (DEFAULT_CONSUMER_GROUP, *consumer_groups)
            for partition in partitions
        }

    def route(self, partition_key: str | None) -> Partition:
        """The partition for a key; without one, each in turn."""
        count = len(self._by_index)
        if partition_key is None:
            return self._by_index[next(self._turns) % count]
        return self._by_index[partition_for_key(partition_key, count)]

    def partition(self, partition_id: str) -> Partition:
        """A partition by its id. Raises `AmqpError` for one that does not exist."""
        try:
            return self.partitions[partition_id]
        except KeyError:
            raise AmqpError(
                Condition.ARGUMENT_OUT_OF_RANGE,
                "The specified partition is invalid for an EventHub partition sender or "
                f"receiver. It should be between 0 and {len(self.partitions) - 1}.",
            ) from None

    def receivers(self, consumer_group: str, partition_id: str) -> ReceiverGroup | None:
        """Who reads a partition for a consumer group; None if there is no such group."""
        return self._receivers.get((consumer_group.lower(), partition_id))

    def close(self) -> None:
        """Give back files."""
        for partition in self.partitions.values():
            partition.close()


class Hubs:
    """All hubs of a namespace."""

    def __init__(self, hubs: Sequence[Hub]) -> None:
        self._hubs = {hub.name.lower(): hub for hub in hubs}

    def find(self, name: str) -> Hub | None:
        """A hub by name, in any case."""
        return self._hubs.get(name.lower())

    def expire(self) -> None:
        """Forget what is older than the retention, everywhere."""
        for hub in self._hubs.values():
            for partition in hub.partitions.values():
                partition.expire()

    def close(self) -> None:
        """Give back files."""
        for hub in self._hubs.values():
            hub.close()


def open_hubs(
    *,
    hubs: Mapping[str, int],
    consumer_groups: Mapping[str, Sequence[str]],
    retention: Retention,
    clock: Callable[[], float],
    data: Path | None = None,
    fsync: bool = False,
) -> Hubs:
    """Open the hubs named in `hubs` with their partition counts, on disk if `data` is given.

    Raises `ValueError`, naming the option to change, for what Azure would not allow.
    """
    for name in consumer_groups:
        if name not in hubs:
            raise ValueError(f"--consumer-group {name}:… names a hub that no --hub declares")
    opened = []
    for name, count in hubs.items():
        if not _HUB_NAME.fullmatch(name):
            raise ValueError(f"--hub {name}: a name has letters, digits, '.', '-' and '_' only")
        if not 1 <= count <= MAX_PARTITIONS:
            raise ValueError(f"--hub {name}:{count}: a hub has 1 to {MAX_PARTITIONS} partitions")
        created_ms = int(clock() * 1000)
        if data is not None:
            created_ms = _created_ms(data / name, count, created_ms)
        partitions = [
            Partition(
                partition_id=str(index),
                log=MemoryLog()
                if data is None
                else SegmentLog(data / name / str(index), fsync=fsync),
                retention=retention,
                clock=clock,
            )
            for index in range(count)
        ]
        opened.append(
            Hub(
                name=name,
                created_ms=created_ms,
                partitions=partitions,
                consumer_groups=consumer_groups.get(name, ()),
            )
        )
    return Hubs(opened)


def _created_ms(directory: Path, partitions: int, now_ms: int) -> int:
    """When the hub on disk was created; the first time, that is now.

    A hub's partition count cannot change: keys would move to other partitions.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "hub.json"
    if not path.exists():
        path.write_text(json.dumps({"created_ms": now_ms, "partitions": partitions}))
        return now_ms
    kept = json.loads(path.read_text())
    if kept["partitions"] != partitions:
        raise ValueError(
            f"--hub {directory.name}:{partitions}: {directory} holds a hub of "
            f"{kept['partitions']} partitions; use that count or another --data"
        )
    return int(kept["created_ms"])
