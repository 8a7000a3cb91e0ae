"""What the server was asked to do, so that a test can state "two creates and no read"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

KINDS: Final = (
    "creates",
    "upserts",
    "replaces",
    "deletes",
    "reads",
    "queries",
    "batches",
    "batch_operations",
    "conflicts",
    "faults",
)
"""Every count there is. Creates, upserts, replaces, deletes and reads include those in batches, of
which `batch_operations` is the sum; one page of a query is one of `queries`; `conflicts` are the
creates that were refused with 409; `faults` were refused by an injected fault, and counted
nowhere else."""


class Counters:
    """Counts per container and in total, since the start or the last `reset`."""

    def __init__(self) -> None:
        self._containers: dict[str, Counter[str]] = {}

    def add(self, container: str, kind: str, count: int = 1) -> None:
        """Count what was done to `container`, "database/id"."""
        self._containers.setdefault(container, Counter())[kind] += count

    def of(self, container: str) -> Mapping[str, int]:
        """All counts of one container, "database/id"."""
        counts = self._containers.get(container, Counter())
        return {kind: counts[kind] for kind in KINDS}

    def total(self) -> Mapping[str, int]:
        """All counts over all containers."""
        return {kind: sum(counts[kind] for counts in self._containers.values()) for kind in KINDS}

    def as_dict(self) -> dict[str, object]:
        """The body of `GET /_local/counters`."""
        return {
            "total": self.total(),
            "containers": {name: self.of(name) for name in sorted(self._containers)},
        }

    def reset(self) -> None:
        """Start again from zero."""
        self._containers.clear()
