"""A call that has ended, as one value. All parts that must know of calls listen to these.

An answer that comes in one piece has one moment: headers and body are read together. A streamed
answer will have two, because its headers show the level long before its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import CallResult


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord:
    backend: str
    """The name of the backend that was called."""
    body: JsonObject
    result: CallResult
    ended_at: float
    """In Unix seconds."""


class CallListener(Protocol):
    def ended(self, call: CallRecord) -> None:
        """Take in a call that has ended. Must not raise: the call is paid for, and its result
        is on its way to the ledger."""
        ...
