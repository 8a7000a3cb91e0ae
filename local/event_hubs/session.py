"""One session: its transfer windows, and its links by handle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import frames
from .attach import attach
from .errors import AmqpError, Condition, ConnectionFailed, SessionEnded
from .frames import Fields, Frame, Performative
from .links import IncomingLink, Link, OutgoingLink
from .node_links import ReplyLink

if TYPE_CHECKING:
    from .connection import Connection

SERIAL = 0xFFFFFFFF
"""Transfer numbers and delivery counts wrap around at 32 bits."""


class Session:
    """The server's side of one AMQP session."""

    def __init__(
        self,
        *,
        connection: Connection,
        channel: int,
        next_incoming_id: int,
        outgoing_window: int,
    ) -> None:
        self.connection = connection
        self.channel = channel
        self.next_outgoing_id = 0
        self.next_delivery_id = 0
        self.outgoing_window = outgoing_window
        self._next_incoming_id = next_incoming_id
        self._links: dict[int, Link] = {}
        self._detached: set[int] = set()

    def on_frame(self, frame: Frame) -> None:
        """Take a frame. Raises `SessionEnded` or `ConnectionFailed` if it breaks the rules."""
        fields = frame.fields
        if frame.performative == Performative.TRANSFER:
            self._next_incoming_id = (self._next_incoming_id + 1) & SERIAL
            link = self._link(fields.number(0, SERIAL))
            if isinstance(link, IncomingLink):
                link.on_transfer(fields, frame.payload)
            elif link is not None:
                raise SessionEnded(Condition.NOT_ALLOWED, "A receiver cannot send.")
        elif frame.performative == Performative.FLOW:
            self._on_flow(fields)
        elif frame.performative == Performative.ATTACH:
            attach(self, fields)
        elif frame.performative == Performative.DETACH:
            self._on_detach(fields.number(0, SERIAL))
        elif frame.performative != Performative.DISPOSITION:  # deliveries are sent settled
            raise ConnectionFailed(
                Condition.NOT_ALLOWED, f"The performative {frame.performative} is out of place."
            )

    def _link(self, handle: int) -> Link | None:
        """The link of a handle; None if this side has just detached it."""
        link = self._links.get(handle)
        if link is None and handle not in self._detached:
            raise SessionEnded(Condition.UNATTACHED_HANDLE, f"Handle {handle} is not attached.")
        return link

    def _on_flow(self, fields: Fields) -> None:
        seen = fields.number(0, 0)  # null until the peer has seen our begin, which says 0
        window = (seen + fields.number(1, 0) - self.next_outgoing_id) & SERIAL
        self.outgoing_window = window if window < SERIAL // 2 else 0
        if fields.value(4) is None:
            self.resume()
            if fields.flag(9):
                self.send_flow()
            return
        link = self._link(fields.number(4, 0))
        if link is None:
            return
        if isinstance(link, OutgoingLink):
            link.on_flow(fields)
        if fields.flag(9):
            link.send_flow()

    def _on_detach(self, handle: int) -> None:
        if handle in self._detached:
            self._detached.discard(handle)  # the answer to a detach of ours
            return
        link = self._link(handle)
        if link is not None:
            link.detach(None)
            self._detached.discard(handle)

    # -- for links

    def add(self, link: Link) -> None:
        """Take in an attached link."""
        self._detached.discard(link.handle)
        self._links[link.handle] = link

    def has(self, handle: int) -> bool:
        """Whether a link is attached with this handle."""
        return handle in self._links

    def remove(self, handle: int) -> None:
        """Forget a link that this side detaches; frames under way for it are ignored."""
        self._links.pop(handle, None)
        self._detached.add(handle)

    def reply_link(self, address: str, reply_to: str | None) -> ReplyLink | None:
        """The client's receiver on the same node, by the target it named."""
        for link in self._links.values():
            if not isinstance(link, ReplyLink) or link.address != address:
                continue
            if reply_to is None or link.target in (None, reply_to):
                return link
        return None

    def send_flow(
        self,
        *,
        handle: int | None = None,
        delivery_count: int = 0,
        credit: int = 0,
        drain: bool = False,
    ) -> None:
        """Tell the peer the windows and, with a handle, a link's credit."""
        self.connection.send(
            frames.flow(
                channel=self.channel,
                next_incoming_id=self._next_incoming_id,
                next_outgoing_id=self.next_outgoing_id,
                handle=handle,
                delivery_count=delivery_count & SERIAL,
                credit=credit,
                drain=drain,
            )
        )

    # -- for the connection

    def resume(self) -> None:
        """There is room again: go on delivering."""
        for link in tuple(self._links.values()):
            if isinstance(link, OutgoingLink):
                link.wake()

    def end_unauthorized_links(self) -> None:
        """Detach the links whose token has expired."""
        for link in tuple(self._links.values()):
            if link.hub is None:
                continue
            try:
                self.connection.authorizations.require(link.address, link.claim)
            except AmqpError as error:
                link.detach(error)

    def detach_hub_links(self, error: AmqpError) -> None:
        """Detach every link to a hub."""
        for link in tuple(self._links.values()):
            if link.hub is not None:
                link.detach(error)

    def release(self) -> None:
        """The session is over: links leave without a word."""
        for link in tuple(self._links.values()):
            link.release()
        self._links.clear()
