"""Faults that tests inject into a running server. There is no way to them over the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from .errors import throttled, unavailable

WRITES: Final = frozenset({"create", "upsert", "replace", "delete", "batch"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One request on items, as a fault's `where` sees it."""

    kind: str
    """create, upsert, replace, delete, read, query or batch."""
    container: str
    """The container's id."""
    partition: str
    """The partition key as canonical JSON, like `["2024-01-01T10"]`."""
    ids: tuple[str, ...] = ()
    """The items concerned; none for a query, several for a batch."""

    @property
    def is_write(self) -> bool:
        """Whether it may change something; a batch counts as a write."""
        return self.kind in WRITES


Where = Callable[[Operation], bool]


class DropConnection(Exception):
    """The operation is done, and its client will not be told."""


class _When(Enum):
    BEFORE = "before"
    AFTER = "after"
    DELAY = "delay"


@dataclass(slots=True)
class _Fault:
    when: _When
    remaining: int
    where: Where
    error: Callable[[], Exception] | None = None
    seconds: float = 0.0


def _anything(_: Operation) -> bool:
    return True


def _any_write(operation: Operation) -> bool:
    return operation.is_write


@dataclass(slots=True)
class Faults:
    """What shall go wrong next. Faults wait in the order in which they were asked for; each
    operation meets the first of a sort that `where` lets it meet. Nothing is on at first."""

    _waiting: list[_Fault] = field(default_factory=list)

    def fail_writes(self, count: int = 1, *, status: int = 408, where: Where = _any_write) -> None:
        """Refuse the next `count` writes; nothing of them is kept.

        azure-cosmos repeats a write once by itself on 503, and on 408 and 500 not at all.
        """
        self._add(_Fault(_When.BEFORE, count, where, lambda: unavailable(status)))

    def throttle(
        self, count: int = 1, *, retry_after_ms: int = 10, where: Where = _anything
    ) -> None:
        """Answer the next `count` operations with 429; nothing is done."""
        self._add(_Fault(_When.BEFORE, count, where, lambda: throttled(retry_after_ms)))

    def lose_answers(
        self, count: int = 1, *, status: int | None = None, where: Where = _any_write
    ) -> None:
        """Do the next `count` writes, then answer `status` (408, 503); None drops the connection.

        What was written stays written: an ambiguous write. azure-cosmos repeats it by itself once
        on 503, and on a dropped connection unless `retry_total` is 0: a create then meets itself.
        """
        self._add(
            _Fault(
                _When.AFTER,
                count,
                where,
                DropConnection if status is None else lambda: unavailable(status),
            )
        )

    def delay(self, seconds: float, count: int = 1, *, where: Where = _anything) -> None:
        """Hold the next `count` operations before they are done; others may overtake them."""
        self._add(_Fault(_When.DELAY, count, where, seconds=seconds))

    def clear(self) -> None:
        """Forget every fault that has not struck."""
        self._waiting.clear()

    @property
    def waiting(self) -> int:
        """How many strikes are left."""
        return sum(fault.remaining for fault in self._waiting)

    @property
    def active(self) -> bool:
        """Whether anything is left to go wrong: asked once an operation, so it must be cheap."""
        return bool(self._waiting)

    def seconds_of_delay(self, operation: Operation) -> float:
        """Called by the server before an operation."""
        fault = self._take(_When.DELAY, operation)
        return fault.seconds if fault is not None else 0.0

    def before(self, operation: Operation) -> None:
        """Called by the server before an operation. Raises the `CosmosError` that is due."""
        self._raise(_When.BEFORE, operation)

    def after(self, operation: Operation) -> None:
        """Called by the server once an operation is done and kept. Raises what is due."""
        self._raise(_When.AFTER, operation)

    def _add(self, fault: _Fault) -> None:
        if fault.remaining < 1:
            raise ValueError(f"count must be at least 1, not {fault.remaining}")
        self._waiting.append(fault)

    def _raise(self, when: _When, operation: Operation) -> None:
        fault = self._take(when, operation)
        if fault is not None and fault.error is not None:
            raise fault.error()

    def _take(self, when: _When, operation: Operation) -> _Fault | None:
        for fault in self._waiting:
            if fault.when is when and fault.where(operation):
                fault.remaining -= 1
                if fault.remaining == 0:
                    self._waiting.remove(fault)
                return fault
        return None
