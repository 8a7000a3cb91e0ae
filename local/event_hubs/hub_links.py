"""Links to a hub: those that publish events and those that receive them."""

from __future__ import annotations

from . import messages
from .hub import Hub
from .links import IncomingLink, OutgoingLink
from .partition import Partition
from .receivers import ReceiverGroup
from .session import Session

DELIVERIES_AT_A_TIME = 300
"""A receiver gives way to the others after as many."""


class PublisherLink(IncomingLink):
    """A link that publishes to a hub, or to one of its partitions."""

    def __init__(
        self, *, session: Session, handle: int, address: str, hub: Hub, partition: Partition | None
    ) -> None:
        super().__init__(session=session, handle=handle, address=address)
        self.hub: Hub = hub
        self._partition = partition

    def receive(self, message: bytes, message_format: int) -> None:
        """Store an event, or all events of a batch, in one partition."""
        self.connection.broker.faults.before_store()
        events = messages.events_of(message, message_format)
        key = messages.partition_key_of(events)
        partition = self._partition or self.hub.route(key)
        partition.append(events)

    def accept(self, delivery_id: int, settled: bool) -> None:
        """Acknowledge, unless a test wants the acknowledgement late or lost."""
        faults = self.connection.broker.faults
        if faults.takes_acknowledgement():
            self.connection.abort()
        elif faults.acknowledgement_delay_seconds:
            self.connection.loop.call_later(
                faults.acknowledgement_delay_seconds, self._accept_late, delivery_id, settled
            )
        else:
            super().accept(delivery_id, settled)

    def _accept_late(self, delivery_id: int, settled: bool) -> None:
        if self.open:
            super().accept(delivery_id, settled)
            self.connection.flush()


class ReceiverLink(OutgoingLink):
    """A link that receives a partition's events from a position on."""

    def __init__(
        self,
        *,
        session: Session,
        handle: int,
        address: str,
        hub: Hub,
        partition: Partition,
        group: ReceiverGroup,
        first_sequence: int,
        epoch: int | None,
        receiver_name: str,
        tracks_last_enqueued: bool,
    ) -> None:
        super().__init__(session=session, handle=handle, address=address)
        self.hub: Hub = hub
        self.epoch = epoch
        self.receiver_name = receiver_name
        self._partition = partition
        self._group = group
        self._next_sequence = first_sequence
        self._tracks_last_enqueued = tracks_last_enqueued

    def attached(self) -> None:
        """Follow the partition."""
        self._partition.subscribe(self.wake)

    def release(self) -> None:
        """Stop following the partition."""
        super().release()
        self._partition.unsubscribe(self.wake)
        self._group.leave(self)

    def deliver_some(self) -> bool:
        """Deliver the next events; whether there may be more to deliver."""
        partition = self._partition
        # Retention may have overtaken a slow reader.
        self._next_sequence = max(self._next_sequence, partition.first_sequence)
        wanted = min(
            self._credit,
            self.session.outgoing_window,
            partition.next_sequence - self._next_sequence,
            DELIVERIES_AT_A_TIME,
        )
        if wanted <= 0:
            return False
        metrics = self._runtime_metrics() if self._tracks_last_enqueued else b""
        for record in partition.read(self._next_sequence, wanted):
            body = messages.with_delivery_annotations(record, metrics) if metrics else record.body
            if not self.deliver(body):
                return False
            self._next_sequence += 1
        return True

    def _runtime_metrics(self) -> bytes:
        properties = self._partition.properties()
        return messages.runtime_metrics(
            sequence=properties.last_sequence,
            offset=properties.last_offset,
            enqueued_ms=properties.last_enqueued_ms,
            retrieved_ms=int(self.connection.broker.authority.now() * 1000),
        )
