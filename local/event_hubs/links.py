"""Links, as AMQP has them: credit, transfers in pieces, detaching.

What is behind a link is in `hub_links` (events) and `node_links` (requests and replies).
"""

from __future__ import annotations

from . import frames
from .codec import Encoded
from .errors import AmqpError, Condition, DeliveryRejected, SessionEnded
from .frames import Fields
from .hub import Hub
from .session import SERIAL, Session


class Link:
    """What all links have: a handle in a session, and an address."""

    claim = "Listen"
    hub: Hub | None = None

    def __init__(self, *, session: Session, handle: int, address: str) -> None:
        self.session = session
        self.connection = session.connection
        self.handle = handle
        self.address = address
        self.open = True

    def attached(self) -> None:
        """The peer has been told: start."""

    def on_transfer(self, fields: Fields, payload: bytes) -> None:
        """Take a message, or a piece of one."""
        raise SessionEnded(Condition.NOT_ALLOWED, "A receiver cannot send.")

    def on_flow(self, fields: Fields) -> None:
        """The client grants credit, which matters to a link that delivers."""

    def send_flow(self) -> None:
        """Tell the peer this link's credit."""

    def wake(self) -> None:
        """There is room again, which matters to a link that delivers."""

    def detach(self, error: AmqpError | None) -> None:
        """End the link and tell the peer."""
        if not self.open:
            return
        self.release()
        self.session.remove(self.handle)
        self.connection.send(
            frames.detach(channel=self.session.channel, handle=self.handle, error=error)
        )
        # Other connections end links too (a higher epoch); nobody else would flush this one.
        self.connection.loop.call_soon(self.connection.flush)

    def release(self) -> None:
        """The link is over."""
        self.open = False


class IncomingLink(Link):
    """A link on which the client sends."""

    claim = "Send"

    def __init__(self, *, session: Session, handle: int, address: str) -> None:
        super().__init__(session=session, handle=handle, address=address)
        self._delivery_count = 0
        self._credit = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._delivery_id = 0
        self._format = 0

    def attached(self) -> None:
        """Let the client send."""
        self._refill()

    def send_flow(self) -> None:
        """Tell the client how many messages it may send."""
        self.session.send_flow(
            handle=self.handle, delivery_count=self._delivery_count, credit=self._credit
        )

    def _refill(self) -> None:
        full = self.connection.broker.limits.publisher_credit
        if self._credit <= full // 2:
            self._credit = full
            self.send_flow()

    def on_transfer(self, fields: Fields, payload: bytes) -> None:
        """Take a message, or a piece of one. What is too large is counted, not kept."""
        if not self._size:
            self._delivery_id = fields.number(1, self._delivery_id)
            self._format = fields.number(3, 0)
        if fields.flag(9):  # aborted
            self._take_message()
            return
        self._size += len(payload)
        if self._size <= self.connection.broker.limits.max_message_bytes:
            self._pieces.append(payload)
        else:
            self._pieces.clear()
        if fields.flag(5):  # more
            return
        settled = fields.flag(4)
        delivery_id, size, message = self._take_message()
        self._delivery_count += 1
        self._credit -= 1
        try:
            self._check_size(delivery_id, size)
            self.receive(message, self._format)
        except DeliveryRejected as error:
            self._settle(delivery_id, frames.rejected(error), settled)
        else:
            self.accept(delivery_id, settled)
        self._refill()

    def _take_message(self) -> tuple[int, int, bytes]:
        size, self._size = self._size, 0
        message = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        return self._delivery_id, size, message

    def _check_size(self, delivery_id: int, size: int) -> None:
        limit = self.connection.broker.limits.max_message_bytes
        if size > limit:
            raise DeliveryRejected(
                Condition.MESSAGE_TOO_LARGE,
                f"The received message (delivery-id:{delivery_id}, size:{size} bytes) exceeds "
                f"the limit ({limit} bytes) currently allowed on the link.",
            )

    def receive(self, message: bytes, message_format: int) -> None:
        """Take a whole message. Raises `DeliveryRejected` if it is refused."""
        raise AssertionError("every kind of incoming link receives")

    def accept(self, delivery_id: int, settled: bool) -> None:
        """The message is taken: say so."""
        self._settle(delivery_id, frames.ACCEPTED, settled)

    def _settle(self, delivery_id: int, outcome: Encoded, settled: bool) -> None:
        if not settled:
            channel = self.session.channel
            self.connection.send(
                frames.disposition(channel=channel, delivery_id=delivery_id, outcome=outcome)
            )


class OutgoingLink(Link):
    """A link on which the client receives."""

    def __init__(self, *, session: Session, handle: int, address: str) -> None:
        super().__init__(session=session, handle=handle, address=address)
        self._delivery_count = 0
        self._credit = 0
        self._drain = False
        self._awake = False

    def send_flow(self) -> None:
        """Tell the client what is left of its credit."""
        self.session.send_flow(
            handle=self.handle,
            delivery_count=self._delivery_count,
            credit=self._credit,
            drain=self._drain,
        )

    def on_flow(self, fields: Fields) -> None:
        """The client grants credit."""
        theirs = fields.number(5, 0) + fields.number(6, 0)
        credit = (theirs - self._delivery_count) & SERIAL
        self._credit = credit if credit < SERIAL // 2 else 0
        self._drain = fields.flag(8)
        self.wake()

    def wake(self) -> None:
        """Deliver soon; many calls at once are one."""
        if not self._awake and self.open:
            self._awake = True
            self.connection.loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._awake = False
        if not self.open or not self.connection.writable:
            return
        if self.deliver_some():
            self.wake()
        elif self._drain and self._credit:
            self._delivery_count += self._credit  # nothing to send: the credit is used up
            self._credit = 0
            self.send_flow()
        self.connection.flush()

    def deliver_some(self) -> bool:
        """Deliver what there is and credit allows; whether there may be more to deliver."""
        raise AssertionError("every kind of outgoing link delivers")

    def deliver(self, body: bytes) -> bool:
        """Send one settled message, in as many frames as it takes.

        False if the client's session window has no room for the whole of it.
        """
        session = self.session
        room = self.connection.peer_frame_bytes - frames.TRANSFER_OVERHEAD_BYTES
        pieces = max(1, -(-len(body) // room))
        if pieces > session.outgoing_window or not self._credit:
            return False
        for piece in range(pieces):
            self.connection.send(
                frames.transfer(
                    channel=session.channel,
                    handle=self.handle,
                    delivery_id=session.next_delivery_id,
                    tag=self._delivery_count & SERIAL,
                    more=piece < pieces - 1,
                    payload=body if pieces == 1 else body[piece * room : (piece + 1) * room],
                )
            )
        session.next_delivery_id = (session.next_delivery_id + 1) & SERIAL
        session.next_outgoing_id = (session.next_outgoing_id + pieces) & SERIAL
        session.outgoing_window -= pieces
        self._delivery_count += 1
        self._credit -= 1
        return True
