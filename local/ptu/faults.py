"""Faults that tests and demonstrations inject. Pure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from local.ptu.calls import Traffic

__all__ = ["Fault", "FaultPlan"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """What the next ``count`` matching calls meet. A fault has at least one effect."""

    count: int = 1
    deployment: str | None = None
    """Only calls to this deployment."""
    traffic: Traffic | None = None
    """Only calls of this class."""
    status: int | None = None
    """Answer this error instead of serving."""
    code: str | None = None
    """The error's code, for example ``content_filter`` with 400."""
    retry_after_ms: int | None = None
    """Sent with ``status``."""
    drop: Literal["before", "after"] | None = None
    """Close the connection without an answer, before serving or after having served (and billed)
    the call: an outcome that its sender cannot know."""
    delay_seconds: float = 0.0
    """Wait this long before the answer: part of the call's time, so it is in flight meanwhile."""
    held: asyncio.Event | None = None
    """Do not answer before this is set. A test in the same process so keeps a call in flight until
    it has seen it, however slow the machine is."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Fault:
        """A checked fault; ``ValueError`` names what is wrong."""
        known = [item.name for item in fields(cls) if item.name != "held"]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"unknown {', '.join(unknown)}; known are {', '.join(known)}")
        fault = cls(**values)
        if fault.traffic is not None:
            fault.traffic = Traffic(fault.traffic)
        if type(fault.count) is not int or fault.count < 1:
            raise ValueError(f"count must be a whole number above 0, not {fault.count!r}")
        status = fault.status
        if status is not None and not (type(status) is int and 400 <= status <= 599):
            raise ValueError(f"status must be an error status (400 to 599), not {status!r}")
        retry = fault.retry_after_ms
        if retry is not None and (type(retry) is not int or retry < 0):
            raise ValueError(f"retry_after_ms must be a whole number >= 0, not {retry!r}")
        if fault.drop not in (None, "before", "after"):
            raise ValueError(f"drop must be before or after, not {fault.drop!r}")
        if not isinstance(fault.delay_seconds, int | float) or not fault.delay_seconds >= 0:
            raise ValueError(f"delay_seconds must be >= 0, not {fault.delay_seconds!r}")
        if fault.status is not None and fault.drop is not None:
            raise ValueError("status and drop exclude each other")
        if fault.status is None and fault.drop is None and not fault.delay_seconds:
            raise ValueError("a fault needs status, drop or delay_seconds")
        return fault


class FaultPlan:
    """The faults that are still due, first in first out."""

    def __init__(self) -> None:
        self._due: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._due.append(fault)

    def take(self, *, deployment: str, traffic: Traffic) -> Fault | None:
        """The first fault due for this call, counted as used; None for an undisturbed call."""
        for fault in self._due:
            if fault.deployment in (None, deployment) and fault.traffic in (None, traffic):
                fault.count -= 1
                if not fault.count:
                    self._due.remove(fault)
                return fault
        return None

    def remaining(self) -> int:
        """How many calls will still meet a fault."""
        return sum(fault.count for fault in self._due)

    def clear(self) -> None:
        self._due.clear()
