"""Who may read a partition for a consumer group: the rules of epochs ("owner level").

Source: "Event Hubs Receiver Epoch" (learn.microsoft.com/archive/blogs/gyan): a receiver with an
epoch is alone; one with an equal or higher epoch takes over; a lower one, and one without an
epoch beside one with, is refused; without epochs there may be five. The words are the service's.
"""

from __future__ import annotations

from typing import Protocol

from .errors import AmqpError, Condition, LinkRefused

MAX_RECEIVERS = 5
"""Per partition and consumer group, without epochs."""


class Receiver(Protocol):
    """A link that reads a partition."""

    @property
    def epoch(self) -> int | None:
        """Its owner level, if it has one."""

    @property
    def receiver_name(self) -> str:
        """What it calls itself; 'nil' if it does not."""

    def detach(self, error: AmqpError) -> None:
        """End it."""


class ReceiverGroup:
    """The receivers of one partition in one consumer group."""

    def __init__(self) -> None:
        self._receivers: list[Receiver] = []

    def admit(self, receiver: Receiver) -> None:
        """Let `receiver` in, ending those it displaces. Raises `LinkRefused` if it may not."""
        highest = max((r.epoch for r in self._receivers if r.epoch is not None), default=None)
        if receiver.epoch is None:
            self._refuse_without_epoch(highest)
        elif highest is not None and receiver.epoch < highest:
            raise LinkRefused(
                Condition.LINK_STOLEN,
                f"Receiver '{self._receivers[0].receiver_name}' with a higher epoch '{highest}' "
                f"already exists. Receiver '{receiver.receiver_name}' with epoch "
                f"{receiver.epoch} cannot be created. Make sure you are creating receiver with "
                "increasing epoch value to ensure connectivity, or ensure all old epoch "
                "receivers are closed or disconnected.",
            )
        else:
            self._displace(receiver)
        self._receivers.append(receiver)

    def _refuse_without_epoch(self, highest: int | None) -> None:
        if highest is not None:
            raise LinkRefused(
                Condition.LINK_STOLEN,
                f"At least one receiver for the endpoint is created with epoch of '{highest}', "
                "and so non-epoch receiver is not allowed. Either reconnect with a higher epoch, "
                "or make sure all epoch receivers are closed or disconnected.",
            )
        if len(self._receivers) >= MAX_RECEIVERS:
            names = ", ".join(receiver.receiver_name for receiver in self._receivers)
            raise LinkRefused(
                Condition.RESOURCE_LIMIT,
                "Exceeded the maximum number of allowed receivers per partition in a consumer "
                f"group which is {MAX_RECEIVERS}. List of connected receivers - {names}.",
            )

    def _displace(self, newcomer: Receiver) -> None:
        for receiver in tuple(self._receivers):
            epoch = "" if receiver.epoch is None else receiver.epoch
            receiver.detach(
                AmqpError(
                    Condition.LINK_STOLEN,
                    f"New receiver '{newcomer.receiver_name}' with higher epoch of "
                    f"'{newcomer.epoch}' is created hence current receiver "
                    f"'{receiver.receiver_name}' with epoch '{epoch}' is getting disconnected. "
                    "If you are recreating the receiver, make sure a higher epoch is used.",
                )
            )

    def leave(self, receiver: Receiver) -> None:
        """`receiver` has ended; harmless when it was not there."""
        if receiver in self._receivers:
            self._receivers.remove(receiver)
