"""One client connection: bytes to frames, the handshake, heartbeats, and the write buffer.

A connection that breaks the protocol is closed with the reason; the server and the other
connections do not notice. A client that does not read gets nothing more until it does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import cast

from . import frames
from .broker import Broker
from .codec import DecodeError
from .errors import AmqpError, Condition, ConnectionFailed, SessionEnded
from .frames import Fields, Frame, Performative
from .session import Session
from .tokens import Authorizations

_logger = logging.getLogger(__name__)

_SASL_MECHANISMS = ("ANONYMOUS", "EXTERNAL", "MSSBCBS")
"""All of them mean that the client will show its token to `$cbs`."""

MIN_FRAME_BYTES = 512
"""The smallest maximum frame size that AMQP allows."""


class _Phase(Enum):
    HEADER = "header"
    SASL = "sasl"
    HEADER_AFTER_SASL = "header after sasl"
    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


class Connection(asyncio.Protocol):
    """The server's side of one AMQP connection."""

    def __init__(
        self,
        *,
        broker: Broker,
        attach: Callable[[Session, Fields], None],
        connections: set[Connection],
    ) -> None:
        self.broker = broker
        self.authorizations = Authorizations(broker.authority)
        self.loop = asyncio.get_running_loop()
        self.writable = True
        self.peer_frame_bytes = MIN_FRAME_BYTES
        self._attach = attach
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._phase = _Phase.HEADER
        self._received = bytearray()
        self._queued: deque[bytes] = deque()
        self._sessions: dict[int, Session] = {}
        self._ended_channels: set[int] = set()
        self._last_received = self._last_sent = self.loop.time()
        self._peer_idle_seconds = 0.0

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to talk."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(self.broker.limits.write_buffer_bytes)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the peer has gone."""
        self._phase = _Phase.CLOSED
        self._connections.discard(self)
        self._release()

    def pause_writing(self) -> None:
        """The peer does not read: stop delivering."""
        self.writable = False

    def resume_writing(self) -> None:
        """The peer has caught up: go on delivering, and listening."""
        self.writable = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        for session in self._sessions.values():
            session.resume()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the peer."""
        if self._phase is _Phase.CLOSED:
            return
        self._last_received = self.loop.time()
        self._received += data
        try:
            self._take_frames()
        except DecodeError as error:
            self.fail(ConnectionFailed(Condition.DECODE_ERROR, str(error)))
        except ConnectionFailed as error:
            self.fail(error)
        except Exception:
            # A mistake of ours must not take the other connections along.
            _logger.exception("a connection failed")
            self.fail(ConnectionFailed(Condition.INTERNAL_ERROR, "The service failed."))
        self.flush()
        self._bound_write_buffer()

    def _bound_write_buffer(self) -> None:
        """A client that sends and never reads the answers is not listened to any more."""
        transport = self._transport
        if transport is None or self.writable or transport.is_closing():
            return
        if self.buffered_bytes > 4 * self.broker.limits.write_buffer_bytes:
            transport.pause_reading()

    # -- for sessions and links

    def send(self, data: bytes) -> None:
        """Queue frames; `flush` sends them."""
        self._queued.append(data)

    def flush(self) -> None:
        """Send what is queued."""
        if not self._queued:
            return
        data = b"".join(self._queued)
        self._queued.clear()
        if self._transport is not None and not self._transport.is_closing():
            self._last_sent = self.loop.time()
            self._transport.write(data)

    def abort(self) -> None:
        """Cut the connection without a word, as a network does."""
        if self._transport is not None:
            self._transport.abort()

    # -- for the server

    @property
    def buffered_bytes(self) -> int:
        """What waits for the peer to read it."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def fail(self, error: AmqpError | None) -> None:
        """Close the connection and say why."""
        if self._phase is _Phase.CLOSED:
            return
        if error is not None:
            _logger.warning("closing a connection: %s", error)
        if self._phase is _Phase.OPEN:
            self.send(frames.close(error))
        self._close()

    def tick(self) -> None:
        """Called every second: heartbeats, idle peers, tokens that have expired."""
        if self._phase is _Phase.CLOSED:
            self.abort()  # closed a second ago and still here: the peer does not read
            return
        now = self.loop.time()
        if now - self._last_received > 1.5 * self.broker.limits.idle_seconds:
            reason = "The connection was inactive for more than the allowed period of time."
            self.fail(ConnectionFailed(Condition.CONNECTION_FORCED, reason))
            return
        if self._peer_idle_seconds and now - self._last_sent > self._peer_idle_seconds / 2 - 1:
            self.send(frames.EMPTY_FRAME)
        for session in self._sessions.values():
            session.end_unauthorized_links()
        self.flush()

    def detach_links(self, error: AmqpError) -> None:
        """End every link to a hub."""
        for session in self._sessions.values():
            session.detach_hub_links(error)
        self.flush()

    # -- frames

    def _take_frames(self) -> None:
        at = 0
        with memoryview(self._received) as view:
            while self._phase is not _Phase.CLOSED and len(view) - at >= 8:
                if self._phase in (_Phase.HEADER, _Phase.HEADER_AFTER_SASL):
                    self._on_header(bytes(view[at : at + 8]))
                    at += 8
                    continue
                size = int.from_bytes(view[at : at + 4], "big")
                if not frames.FRAME_HEADER_BYTES <= size <= self.broker.limits.max_frame_bytes:
                    raise ConnectionFailed(
                        Condition.FRAMING_ERROR, f"A frame of {size} bytes is not allowed."
                    )
                if len(view) - at < size:
                    break
                self._on_frame(frames.parse(bytes(view[at : at + size])))
                at += size
        del self._received[:at]

    def _on_header(self, header: bytes) -> None:
        if header == frames.SASL_HEADER and self._phase is _Phase.HEADER:
            self.send(frames.SASL_HEADER + frames.sasl_mechanisms(*_SASL_MECHANISMS))
            self._phase = _Phase.SASL
        elif header == frames.AMQP_HEADER:
            self.send(frames.AMQP_HEADER)
            self._phase = _Phase.OPENING
        else:
            self.send(frames.AMQP_HEADER)  # as the standard asks: say what would be understood
            raise ConnectionFailed(Condition.FRAMING_ERROR, "The peer does not speak AMQP 1.0.")

    def _on_frame(self, frame: Frame) -> None:
        if self._phase is _Phase.SASL:
            self._on_sasl(frame)
        elif frame.kind != frames.AMQP_FRAME:
            raise ConnectionFailed(Condition.FRAMING_ERROR, "The frame's type is out of place.")
        elif frame.performative is None:
            return
        elif self._phase is _Phase.OPENING:
            self._on_open(frame)
        elif frame.performative == Performative.BEGIN:
            self._on_begin(frame)
        elif frame.performative == Performative.END:
            self._on_end(frame)
        elif frame.performative == Performative.CLOSE:
            self.send(frames.close(None))
            self._close()
        else:
            self._on_session_frame(frame)

    def _on_sasl(self, frame: Frame) -> None:
        if frame.kind != frames.SASL_FRAME or frame.performative != Performative.SASL_INIT:
            raise ConnectionFailed(Condition.FRAMING_ERROR, "A SASL init was expected.")
        if frame.fields.text(0) not in _SASL_MECHANISMS:
            self.send(frames.sasl_outcome(1))
            raise ConnectionFailed(Condition.UNAUTHORIZED, "The SASL mechanism is not offered.")
        self.send(frames.sasl_outcome(0))
        self._phase = _Phase.HEADER_AFTER_SASL

    def _on_open(self, frame: Frame) -> None:
        if frame.performative != Performative.OPEN:
            raise ConnectionFailed(Condition.NOT_ALLOWED, "The first frame must be an open.")
        limits = self.broker.limits
        theirs = frame.fields.number(2, 0xFFFFFFFF)
        self._peer_idle_seconds = frame.fields.number(4, 0) / 1000
        self.send(
            frames.open_(
                container_id="ptu-event-hubs",
                max_frame_bytes=limits.max_frame_bytes,
                channel_max=limits.channel_max,
                idle_ms=int(limits.idle_seconds * 1000),
            )
        )
        self._phase = _Phase.OPEN
        if theirs < MIN_FRAME_BYTES:
            raise ConnectionFailed(Condition.INVALID_FIELD, "The maximum frame size is too small.")
        self.peer_frame_bytes = min(theirs, limits.max_frame_bytes)

    def _on_begin(self, frame: Frame) -> None:
        channel = frame.channel
        if channel in self._sessions or channel > self.broker.limits.channel_max:
            raise ConnectionFailed(Condition.NOT_ALLOWED, f"Channel {channel} cannot begin.")
        self._ended_channels.discard(channel)
        self._sessions[channel] = Session(
            connection=self,
            attach=self._attach,
            channel=channel,
            next_incoming_id=frame.fields.number(1, 0),
            outgoing_window=frame.fields.number(2, 0),
        )
        self.send(frames.begin(channel=channel, handle_max=self.broker.limits.handle_max))

    def _on_end(self, frame: Frame) -> None:
        session = self._sessions.pop(frame.channel, None)
        if session is None:
            return  # the answer to an end of ours
        session.release()
        self._ended_channels.add(frame.channel)
        self.send(frames.end(channel=frame.channel, error=None))

    def _on_session_frame(self, frame: Frame) -> None:
        session = self._sessions.get(frame.channel)
        if session is None:
            if frame.channel in self._ended_channels:
                return  # azure-eventhub detaches its links after it has ended their session
            raise ConnectionFailed(
                Condition.NOT_ALLOWED, f"Channel {frame.channel} has no session."
            )
        try:
            session.on_frame(frame)
        except SessionEnded as error:
            _logger.warning("ending a session: %s", error)
            self._sessions.pop(frame.channel)
            session.release()
            self._ended_channels.add(frame.channel)
            self.send(frames.end(channel=frame.channel, error=error))

    # -- the end

    def _close(self) -> None:
        self._phase = _Phase.CLOSED
        self._release()
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _release(self) -> None:
        for session in self._sessions.values():
            session.release()
        self._sessions.clear()
