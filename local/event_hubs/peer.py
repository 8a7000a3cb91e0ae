"""What sessions and links see of the connection that they belong to."""

from __future__ import annotations

import asyncio
from typing import Protocol

from .broker import Broker
from .tokens import Authorizations


class Peer(Protocol):
    """The client at the other end."""

    @property
    def broker(self) -> Broker:
        """The namespace that it is connected to."""

    @property
    def authorizations(self) -> Authorizations:
        """What its tokens allow."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where later work is queued."""

    @property
    def writable(self) -> bool:
        """Whether it reads what it is sent."""

    @property
    def peer_frame_bytes(self) -> int:
        """The largest frame that it takes."""

    def send(self, data: bytes) -> None:
        """Queue frames; `flush` sends them."""

    def flush(self) -> None:
        """Send what is queued."""

    def abort(self) -> None:
        """Cut the connection without a word, as a network does."""
