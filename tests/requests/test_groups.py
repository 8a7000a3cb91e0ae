"""The documents of `groups`: what is written is read back, by this release and the one before."""

from __future__ import annotations

from typing import Any

import pytest

from local.virtual_time import EPOCH
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.hubs import DeliveredEvent, Delivery
from ptu_optimizer.requests.groups import (
    GROUP_FIELDS,
    POSITION_FIELDS,
    POSITIONS_BUCKET,
    Closing,
    GroupRecord,
    IdempotencyKey,
    Position,
)
from ptu_optimizer.requests.ids import IdMint
from ptu_optimizer.requests.item import Item, Spillover

GROUP = IdMint(b"a key of this test").mint(
    created_at=EPOCH, ends_at=EPOCH + 86_400, count=2, tenant="research"
)
ITEMS = [
    Item({"messages": []}, "ptu", EPOCH + 60),
    Item({"messages": []}, "ptu", EPOCH + 90, spillover=Spillover.BEFORE_DEADLINE),
]


def only(record: JsonObject, fields: tuple[str, ...]) -> JsonObject:
    return {name: record[name] for name in fields if name in record}


@pytest.mark.parametrize("in_blob", [True, False], ids=["inputs in a blob", "inputs in the record"])
def test_a_group_record_is_read_back_as_it_was_written(in_blob: bool) -> None:
    one = GroupRecord.of(GROUP, ITEMS, in_blob=in_blob, created_at=EPOCH + 1)
    record = one.record(GROUP)
    assert GroupRecord.from_record(record) == one
    assert ("items" in record) is not in_blob
    assert (record["bucket"], record["ttl"]) == (GROUP.bucket, int(GROUP.ends_at - EPOCH - 1))


def test_a_group_record_notes_the_deadlines_that_the_sweep_decides_on() -> None:
    one = GroupRecord.of(GROUP, ITEMS, in_blob=False, created_at=EPOCH)
    assert (one.earliest_deadline, one.latest_deadline) == (EPOCH + 60, EPOCH + 90)
    assert one.earliest_spillover == EPOCH + 90
    none = GroupRecord.of(GROUP, ITEMS[:1], in_blob=False, created_at=EPOCH)
    assert none.earliest_spillover is None


def test_a_query_of_an_hour_brings_everything_but_the_inputs() -> None:
    one = GroupRecord.of(GROUP, ITEMS, in_blob=False, created_at=EPOCH)
    read = GroupRecord.from_record(only(one.record(GROUP), GROUP_FIELDS))
    assert read.items is None
    assert read == GroupRecord.from_record(one.record(GROUP) | {"items": None})
    closing = Closing(group_id=GROUP.text, at=EPOCH).record(GROUP)
    found = only(closing, GROUP_FIELDS)
    assert (found["type"], found["group_id"]) == ("closed", GROUP.text)


def test_a_record_of_the_first_release_belongs_to_no_tenant() -> None:
    """That release wrote no tenant's id, and its query did not ask for the field."""
    record = GroupRecord.of(GROUP, ITEMS, in_blob=True, created_at=EPOCH).record(GROUP)
    del record["tenant"], record["earliest_spillover"]
    assert GroupRecord.from_record(record).tenant == ""


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({}, True, id="the same call"),
        pytest.param({"raw": b"other"}, True, id="another body is found, and refused"),
        pytest.param({"key": "other"}, False, id="another key"),
        pytest.param({"group": IdMint(b"k").mint(created_at=1, ends_at=2, count=1)}, False,
                     id="another tenant"),
    ],
)  # fmt: skip
def test_an_idempotency_key_is_found_by_tenant_and_key(change: dict[str, Any], same: bool) -> None:
    call: dict[str, Any] = {"key": "k", "raw": b"body", "group": GROUP, "at": EPOCH}
    one, other = (IdempotencyKey.of(**{**call, **what}) for what in ({}, change))
    assert (one.id == other.id) is same
    assert IdempotencyKey.from_record(one.record(GROUP)) == one
    assert one.record(GROUP)["bucket"] == one.bucket


def test_a_position_is_that_of_the_last_event_of_a_batch() -> None:
    events = [DeliveredEvent(raw=b"", sequence_number=n, enqueued_at=EPOCH + n) for n in (7, 8)]
    one = Position.of(Delivery(hub="requests", partition="3", events=events))
    assert (one.sequence_number, one.enqueued_at) == (8, EPOCH + 8)
    record = one.record(now=EPOCH + 9)
    assert Position.from_record(only(record, POSITION_FIELDS)) == one
    assert (record["bucket"], record["id"]) == (POSITIONS_BUCKET, "position:requests:3")
