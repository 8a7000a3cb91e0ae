"""Faults that tests inject into a running server. There is no way to them over the wire."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .errors import AmqpError, Condition, DeliveryRejected


class Faults:
    """What shall go wrong next. Everything is off until a test asks for it."""

    def __init__(
        self,
        *,
        drop_connections: Callable[[], None],
        detach_links: Callable[[AmqpError], None],
    ) -> None:
        self._drop_connections = drop_connections
        self._detach_links = detach_links
        self._rejections: deque[DeliveryRejected] = deque()
        self._lost_acknowledgements = 0
        self.acknowledgement_delay_seconds = 0.0
        """How long each message is stored before its sender is told."""

    def reject_sends(
        self,
        count: int = 1,
        *,
        condition: str = Condition.SERVER_BUSY,
        description: str = "The request was terminated because the namespace is being throttled.",
    ) -> None:
        """Refuse the next `count` messages (a batch is one) without storing them."""
        self._rejections.extend(DeliveryRejected(condition, description) for _ in range(count))

    def lose_acknowledgements(self, count: int = 1) -> None:
        """Store the next `count` messages, then drop their connections instead of saying so."""
        self._lost_acknowledgements += count

    def drop_connections(self) -> None:
        """Cut every connection, as a network does."""
        self._drop_connections()

    def detach_links(
        self,
        *,
        condition: str = Condition.DETACH_FORCED,
        description: str = "The link was force detached by the broker.",
    ) -> None:
        """End every link to a hub, as the service does when it moves one."""
        self._detach_links(AmqpError(condition, description))

    def before_store(self) -> None:
        """Called by the server for each message. Raises `DeliveryRejected` if one is due."""
        if self._rejections:
            raise self._rejections.popleft()

    def takes_acknowledgement(self) -> bool:
        """Called by the server once a message is stored: shall its acknowledgement be lost?"""
        if not self._lost_acknowledgements:
            return False
        self._lost_acknowledgements -= 1
        return True
