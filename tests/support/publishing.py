"""A publisher that keeps what it was given, and fails when it is told to."""

from collections.abc import Sequence

from local.virtual_time import VirtualClock
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.hubs import Outgoing, PublishFailed


class FakePublisher:
    """Fails the next `failures` publications, acknowledging `sent_before_failing` of each."""

    error = PublishFailed

    def __init__(
        self,
        *,
        failures: int = 0,
        sent_before_failing: int = 0,
        seconds_per_batch: float = 0.0,
        away: bool = False,
    ) -> None:
        self.failures = failures
        self.sent_before_failing = sent_before_failing
        self.seconds_per_batch = seconds_per_batch
        self.away = away
        self.asked_ready: list[str] = []
        self.batches: list[tuple[str, list[Outgoing]]] = []

    async def ready(self, hub: str) -> None:
        self.asked_ready.append(hub)
        if self.away:
            raise DependencyUnavailable("Event Hubs", "it is away")

    async def publish(self, hub: str, events: Sequence[Outgoing]) -> None:
        if self.seconds_per_batch:
            await VirtualClock().sleep(self.seconds_per_batch)
        if self.failures > 0:
            self.failures -= 1
            sent = list(events[: self.sent_before_failing])
            if sent:
                self.batches.append((hub, sent))
            raise PublishFailed(hub, sent=len(sent), reason="the test says so")
        self.batches.append((hub, list(events)))
