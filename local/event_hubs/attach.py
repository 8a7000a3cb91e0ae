"""Attaching links: from an address to what stands behind it, or to the reason why not."""

from __future__ import annotations

import logging
import re
from typing import Any, NamedTuple

from . import frames, management
from .codec import Described
from .errors import AmqpError, Condition, ConnectionFailed, LinkRefused, SessionEnded
from .frames import Fields
from .hub import Hub
from .hub_links import PublisherLink, ReceiverLink
from .links import Link
from .messages import Reply, Request
from .node_links import ReplyLink, RequestLink
from .positions import parse_selector
from .session import Session

_logger = logging.getLogger(__name__)

CBS_NODE = "$cbs"

_SCHEME_AND_HOST = re.compile(r"^\w+://[^/]*")
_SELECTOR_FILTER = "apache.org:selector-filter:string"
_EPOCH, _RECEIVER_NAME = "com.microsoft:epoch", "com.microsoft:receiver-name"
_RUNTIME_METRIC = "com.microsoft:enable-receiver-runtime-metric"


class Address(NamedTuple):
    """A link's address, for example `requests/ConsumerGroups/$Default/Partitions/0`."""

    hub: str
    consumer_group: str | None
    partition: str | None

    @classmethod
    def parse(cls, path: str) -> Address:
        """Read an address. Raises `LinkRefused` for a shape that no hub has."""
        hub, *rest = path.split("/")
        shape = [part.lower() for part in rest[::2]]
        names = rest[1::2]
        if len(rest) % 2 == 0 and shape == ["consumergroups", "partitions"]:
            return cls(hub, names[0], names[1])
        if len(rest) % 2 == 0 and shape == ["partitions"]:
            return cls(hub, None, names[0])
        if not rest:
            return cls(hub, None, None)
        raise _not_found(path)


def _not_found(path: str) -> LinkRefused:
    return LinkRefused(
        Condition.NOT_FOUND, f"The messaging entity 'sb://{path.lower()}' could not be found."
    )


def attach(session: Session, asked: Fields) -> None:
    """Attach the link that the client asks for, or tell it why not."""
    handle = asked.number(1, -1)
    limits = session.connection.broker.limits
    if not 0 <= handle <= limits.handle_max:
        raise ConnectionFailed(Condition.FRAMING_ERROR, f"Handle {handle} is out of range.")
    if session.has(handle):
        raise SessionEnded(Condition.HANDLE_IN_USE, f"Handle {handle} is in use.")
    client_receives = asked.flag(2)
    path = _path(asked.composite(5 if client_receives else 6))
    link: Link | None = None
    error: AmqpError | None = None
    try:
        if client_receives:
            link = _outgoing(session, handle, path, asked)
        else:
            link = _incoming(session, handle, path)
    except AmqpError as refusal:
        error = refusal
    session.connection.send(
        frames.attach(
            channel=session.channel,
            asked=asked,
            server_receives=not client_receives,
            refused=link is None,
            max_message_bytes=limits.max_message_bytes,
        )
    )
    if link is not None:
        session.add(link)
        link.attached()
        return
    # azure-eventhub's aio consumer retries most refusals for ever without telling its caller,
    # so the server's log is where people find out.
    _logger.warning("refused a link to %s: %s", path, error)
    session.remove(handle)
    session.connection.send(frames.detach(channel=session.channel, handle=handle, error=error))


def _path(terminus: Fields | None) -> str:
    address = terminus.text(0) if terminus is not None else None
    return _SCHEME_AND_HOST.sub("", address or "").strip("/")


def _incoming(session: Session, handle: int, path: str) -> Link:
    connection = session.connection
    if path == CBS_NODE:
        return RequestLink(
            session=session,
            handle=handle,
            address=path,
            answer=connection.authorizations.put_token,
        )
    if path.endswith(management.NODE):

        def answer(request: Request) -> Reply:
            return management.answer(request, connection.broker.hubs, connection.authorizations)

        return RequestLink(session=session, handle=handle, address=path, answer=answer)
    connection.authorizations.require(path, PublisherLink.claim)
    address = Address.parse(path)
    hub = _hub(session, path, address)
    if address.consumer_group is not None:
        raise LinkRefused(Condition.NOT_ALLOWED, "A consumer group cannot be published to.")
    partition = None if address.partition is None else hub.partition(address.partition)
    return PublisherLink(session=session, handle=handle, address=path, hub=hub, partition=partition)


def _outgoing(session: Session, handle: int, path: str, asked: Fields) -> Link:
    if path == CBS_NODE or path.endswith(management.NODE):
        target = asked.composite(6)
        return ReplyLink(
            session=session,
            handle=handle,
            address=path,
            target=target.text(0) if target is not None else None,
        )
    session.connection.authorizations.require(path, ReceiverLink.claim)
    address = Address.parse(path)
    hub = _hub(session, path, address)
    if address.consumer_group is None or address.partition is None:
        raise LinkRefused(
            Condition.INVALID_FIELD, "A receiver needs a consumer group and a partition."
        )
    partition = hub.partition(address.partition)
    group = hub.receivers(address.consumer_group, address.partition)
    if group is None:
        raise _not_found(path)
    properties = _map(asked.value(13))
    epoch = properties.get(_EPOCH)
    if epoch is not None and (not isinstance(epoch, int) or isinstance(epoch, bool)):
        raise LinkRefused(Condition.INVALID_FIELD, "The epoch must be a long.")
    link = ReceiverLink(
        session=session,
        handle=handle,
        address=path,
        hub=hub,
        partition=partition,
        group=group,
        first_sequence=partition.find(parse_selector(_selector(asked))),
        epoch=epoch,
        receiver_name=str(properties.get(_RECEIVER_NAME, "nil")),
        tracks_last_enqueued=_RUNTIME_METRIC in _symbols(asked.value(12)),
    )
    group.admit(link)
    return link


def _hub(session: Session, path: str, address: Address) -> Hub:
    hub = session.connection.broker.hubs.find(address.hub)
    if hub is None:
        raise _not_found(path)
    return hub


def _selector(asked: Fields) -> str | None:
    source = asked.composite(5)
    selector = _map(source.value(7)).get(_SELECTOR_FILTER) if source is not None else None
    if isinstance(selector, Described):
        selector = selector.value
    return None if selector is None else str(selector)


def _map(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _symbols(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
