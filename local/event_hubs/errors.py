"""What goes wrong over AMQP, by what it ends: a delivery, a link, a session, a connection.

The condition names are the ones Azure Event Hubs sends (see `Condition`).
"""

from __future__ import annotations

from enum import StrEnum


class Condition(StrEnum):
    """Error conditions of AMQP 1.0 (`amqp:`) and of Event Hubs (`com.microsoft:`)."""

    INTERNAL_ERROR = "amqp:internal-error"
    NOT_FOUND = "amqp:not-found"
    UNAUTHORIZED = "amqp:unauthorized-access"
    DECODE_ERROR = "amqp:decode-error"
    RESOURCE_LIMIT = "amqp:resource-limit-exceeded"
    NOT_ALLOWED = "amqp:not-allowed"
    NOT_IMPLEMENTED = "amqp:not-implemented"
    INVALID_FIELD = "amqp:invalid-field"
    FRAMING_ERROR = "amqp:connection:framing-error"
    CONNECTION_FORCED = "amqp:connection:forced"
    HANDLE_IN_USE = "amqp:session:handle-in-use"
    UNATTACHED_HANDLE = "amqp:session:unattached-handle"
    DETACH_FORCED = "amqp:link:detach-forced"
    MESSAGE_TOO_LARGE = "amqp:link:message-size-exceeded"
    LINK_STOLEN = "amqp:link:stolen"
    ARGUMENT_ERROR = "com.microsoft:argument-error"
    ARGUMENT_OUT_OF_RANGE = "com.microsoft:argument-out-of-range"
    SERVER_BUSY = "com.microsoft:server-busy"


class AmqpError(Exception):
    """An error that the peer is told: `condition` is a symbol, `description` is for people."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = str(condition)
        self.description = description


class DeliveryRejected(AmqpError):
    """One message is not taken; the link it came on lives on."""


class LinkRefused(AmqpError):
    """A link is not attached."""


class SessionEnded(AmqpError):
    """The peer broke the session's rules; the session ends."""


class ConnectionFailed(AmqpError):
    """The peer broke the connection's rules; the connection closes."""
