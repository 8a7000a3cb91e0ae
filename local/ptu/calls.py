"""What a call is to the simulator: who sent it, what it asks, and the verdict on it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Admitted", "Refused", "Traffic", "split_client_request_id"]


class Traffic(StrEnum):
    """Whose call it is: somebody's who waits for it, or the queue's."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class Refused(NamedTuple):
    """429: nothing was added and nothing is owed."""

    retry_after_ms: int


@dataclass(slots=True, eq=False)
class Admitted:
    """A call in flight. Each one ends in exactly one ``Deployment.complete``."""

    arrived_at: float
    prompt_tokens: int
    cached_tokens: int
    reserved_output_tokens: int
    traffic: Traffic
    request_id: str | None
    spillover: bool
    epoch: int
    level_at_arrival: float = 0.0
    completed: bool = False


def split_client_request_id(value: str | None) -> tuple[str, int] | None:
    """``"{request_id}:{n}"`` as ``(request_id, n)``; None for anything else.

    The dispatcher names every attempt so in ``x-ms-client-request-id``; other clients send a
    GUID there or nothing, and are interactive traffic.
    """
    if not value:
        return None
    request_id, colon, number = value.rpartition(":")
    if not colon or not request_id or not (number.isascii() and number.isdigit()):
        return None
    return request_id, int(number)
