"""Who may read a partition: epochs ("owner level") exclude and displace as in Azure."""

from __future__ import annotations

import pytest

from local.event_hubs.errors import AmqpError, Condition, LinkRefused
from local.event_hubs.receivers import MAX_RECEIVERS, ReceiverGroup


class FakeReceiver:
    """A receiver that remembers how it ended."""

    def __init__(self, group: ReceiverGroup, epoch: int | None) -> None:
        self.epoch = epoch
        self.receiver_name = "nil"
        self.ended_by: AmqpError | None = None
        self._group = group

    def detach(self, error: AmqpError) -> None:
        self.ended_by = error
        self._group.leave(self)


@pytest.fixture
def group() -> ReceiverGroup:
    return ReceiverGroup()


def admitted(group: ReceiverGroup, epoch: int | None) -> FakeReceiver:
    receiver = FakeReceiver(group, epoch)
    group.admit(receiver)
    return receiver


@pytest.mark.parametrize("newer", [1, 2], ids=["equal", "higher"])
def test_an_equal_or_higher_epoch_takes_over(group: ReceiverGroup, newer: int) -> None:
    older = admitted(group, 1)
    newcomer = admitted(group, newer)
    assert older.ended_by is not None
    assert older.ended_by.condition == Condition.LINK_STOLEN
    assert newcomer.ended_by is None


def test_a_lower_epoch_is_refused_and_disturbs_nobody(group: ReceiverGroup) -> None:
    holder = admitted(group, 5)
    with pytest.raises(LinkRefused, match="higher epoch '5'") as refused:
        admitted(group, 4)
    assert refused.value.condition == Condition.LINK_STOLEN
    assert holder.ended_by is None


def test_no_epoch_beside_an_epoch_is_refused(group: ReceiverGroup) -> None:
    admitted(group, 0)
    with pytest.raises(LinkRefused, match="non-epoch receiver is not allowed") as refused:
        admitted(group, None)
    assert refused.value.condition == Condition.LINK_STOLEN


def test_an_epoch_ends_the_receivers_without_one(group: ReceiverGroup) -> None:
    without = [admitted(group, None), admitted(group, None)]
    admitted(group, 0)
    assert all(receiver.ended_by is not None for receiver in without)


def test_five_may_read_without_epochs_and_a_sixth_when_one_leaves(group: ReceiverGroup) -> None:
    receivers = [admitted(group, None) for _ in range(MAX_RECEIVERS)]
    with pytest.raises(LinkRefused, match="which is 5") as refused:
        admitted(group, None)
    assert refused.value.condition == Condition.RESOURCE_LIMIT
    group.leave(receivers[0])
    admitted(group, None)


def test_when_the_holder_leaves_any_epoch_may_come(group: ReceiverGroup) -> None:
    group.leave(admitted(group, 9))
    admitted(group, 0)
