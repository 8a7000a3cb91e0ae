"""One session: its transfer windows, and its links by handle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from . import frames
from .errors import AmqpError, Condition, ConnectionFailed, SessionEnded
from .frames import Fields, Frame, Performative
from .hub import Hub
from .peer import Peer

SERIAL = 0xFFFFFFFF
"""Transfer numbers and delivery counts wrap around at 32 bits."""


class AttachedLink(Protocol):
    """What a session sees of a link."""

    @property
    def handle(self) -> int:
        """Its number in the session."""

    @property
    def address(self) -> str:
        """The node that it leads to."""

    @property
    def claim(self) -> str:
        """What a token must allow for it."""

    @property
    def hub(self) -> Hub | None:
        """The hub that it leads to, if it is one."""

    def on_transfer(self, fields: Fields, payload: bytes) -> None:
        """Take a message, or a piece of one. Raises `SessionEnded` if the client may not send."""

    def on_flow(self, fields: Fields) -> None:
        """The client grants credit."""

    def send_flow(self) -> None:
        """Tell the client this link's credit."""

    def wake(self) -> None:
        """There is room again: deliver."""

    def detach(self, error: AmqpError | None) -> None:
        """End the link and tell the client."""

    def release(self) -> None:
        """The link is over."""


class Session:
    """The server's side of one AMQP session."""

    def __init__(
        self,
        *,
        connection: Peer,
        attach: Callable[[Session, Fields], None],
        channel: int,
        next_incoming_id: int,
        outgoing_window: int,
    ) -> None:
        """`attach` makes and adds the link that a client asks for, or tells it why not."""
        self.connection = connection
        self._attach = attach
        self.channel = channel
        self.next_outgoing_id = 0
        self.next_delivery_id = 0
        self.outgoing_window = outgoing_window
        self._next_incoming_id = next_incoming_id
        self._links: dict[int, AttachedLink] = {}
        self._detached: set[int] = set()

    def on_frame(self, frame: Frame) -> None:
        """Take a frame. Raises `SessionEnded` or `ConnectionFailed` if it breaks the rules."""
        fields = frame.fields
        if frame.performative == Performative.TRANSFER:
            self._next_incoming_id = (self._next_incoming_id + 1) & SERIAL
            link = self._link(fields.number(0, SERIAL))
            if link is not None:
                link.on_transfer(fields, frame.payload)
        elif frame.performative == Performative.FLOW:
            self._on_flow(fields)
        elif frame.performative == Performative.ATTACH:
            self._attach(self, fields)
        elif frame.performative == Performative.DETACH:
            self._on_detach(fields.number(0, SERIAL))
        elif frame.performative != Performative.DISPOSITION:  # deliveries are sent settled
            raise ConnectionFailed(
                Condition.NOT_ALLOWED, f"The performative {frame.performative} is out of place."
            )

    def _link(self, handle: int) -> AttachedLink | None:
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

    def add(self, link: AttachedLink) -> None:
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

    def links(self) -> tuple[AttachedLink, ...]:
        """The links that are attached."""
        return tuple(self._links.values())

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
        for link in self.links():
            link.wake()

    def end_unauthorized_links(self) -> None:
        """Detach the links whose token has expired."""
        for link in self.links():
            if link.hub is None:
                continue
            try:
                self.connection.authorizations.require(link.address, link.claim)
            except AmqpError as error:
                link.detach(error)

    def detach_hub_links(self, error: AmqpError) -> None:
        """Detach every link to a hub."""
        for link in self.links():
            if link.hub is not None:
                link.detach(error)

    def release(self) -> None:
        """The session is over: links leave without a word."""
        for link in self.links():
            link.release()
        self._links.clear()
