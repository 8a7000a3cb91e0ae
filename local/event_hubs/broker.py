"""What every connection shares."""

from __future__ import annotations

from dataclasses import dataclass

from .faults import Faults
from .hub import Hubs
from .tokens import Authority


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes and times that the service announces or enforces."""

    max_message_bytes: int = 1 << 20
    """Of a message, that is of an event or of a whole batch: 1 MB in the Standard tier."""
    max_frame_bytes: int = 65_536
    idle_seconds: float = 240.0
    """A connection that sends nothing for longer is closed (with half as much grace)."""
    channel_max: int = 4_095
    handle_max: int = 255
    publisher_credit: int = 300
    """Messages that a sender may have under way; refilled when half is used."""
    write_buffer_bytes: int = 1 << 20
    """A client that reads more slowly than this gets no events until it has caught up."""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The namespace, as the connections see it."""

    hubs: Hubs
    authority: Authority
    faults: Faults
    limits: Limits
