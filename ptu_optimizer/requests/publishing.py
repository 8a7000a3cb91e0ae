"""How a copy of a request's event is published, by re-scheduling and by the sweep."""

from __future__ import annotations

from ptu_optimizer.ports.hubs import Outgoing, Publisher

from .envelope import RequestEvent


async def publish_again(publisher: Publisher, hub: str, events: list[RequestEvent]) -> None:
    """Keyed by request id, so that the copies of a request meet. Raises PublishFailed."""
    await publisher.publish(
        hub, [Outgoing(event.encode(), key=event.request_id) for event in events]
    )
