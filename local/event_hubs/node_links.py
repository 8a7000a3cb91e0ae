"""Links to `$cbs` and `$management`: requests on one link, replies on another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from . import messages
from .errors import Condition, DeliveryRejected
from .links import IncomingLink, OutgoingLink
from .messages import Reply, Request
from .session import Session

MAX_PENDING_REPLIES = 100
"""For a client that asks and grants no credit for the answers."""


class RequestLink(IncomingLink):
    """A link on which the client asks `$cbs` or `$management`."""

    def __init__(
        self, *, session: Session, handle: int, address: str, answer: Callable[[Request], Reply]
    ) -> None:
        super().__init__(session=session, handle=handle, address=address)
        self._answer = answer

    def receive(self, message: bytes, message_format: int) -> None:
        """Answer a request on the client's reply link."""
        request = messages.read_request(message)
        link = self._reply_link(request.reply_to)
        if link is None:
            raise DeliveryRejected(Condition.NOT_FOUND, "There is no link to reply on.")
        link.reply(messages.reply_message(request, self._answer(request)))

    def _reply_link(self, reply_to: str | None) -> ReplyLink | None:
        """The client's receiver on the same node, by the target it named."""
        for link in self.session.links():
            if not isinstance(link, ReplyLink) or link.address != self.address:
                continue
            if reply_to is None or link.target in (None, reply_to):
                return link
        return None


class ReplyLink(OutgoingLink):
    """A link on which `$cbs` or `$management` answers."""

    def __init__(self, *, session: Session, handle: int, address: str, target: str | None) -> None:
        super().__init__(session=session, handle=handle, address=address)
        self.target = target
        self._replies: deque[bytes] = deque()

    def reply(self, message: bytes) -> None:
        """Send a reply when the client has credit for it."""
        if len(self._replies) >= MAX_PENDING_REPLIES:
            raise DeliveryRejected(Condition.RESOURCE_LIMIT, "Replies are not being read.")
        self._replies.append(message)
        self.wake()

    def deliver_some(self) -> bool:
        """Send replies while there is credit."""
        while self._replies and self.deliver(self._replies[0]):
            self._replies.popleft()
        return False
