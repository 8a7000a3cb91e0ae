"""Inputs: in the event, in the group record, or in one blob when they are large."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.virtual_time import EPOCH
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.requests.bodies import (
    INLINE_GROUP_BYTES,
    INLINE_ITEM_BYTES,
    Bodies,
    InputMissing,
    inputs_blob,
    pack,
)
from ptu_optimizer.requests.envelope import RequestEvent, first_event
from ptu_optimizer.requests.ids import GroupId, IdMint
from ptu_optimizer.requests.item import Item
from tests.support.stores import FakeBlobs


def item(text: str, *, custom_id: str | None = None) -> Item:
    body = {"messages": [{"role": "user", "content": text}]}
    return Item(body, "ptu", EPOCH + 60, custom_id=custom_id)


def item_of_size(length: int) -> Item:
    """An item whose line has exactly this many bytes."""
    empty = len(pack([item("")]).lines[0])
    return item("x" * (length - empty))


def group_of(count: int) -> GroupId:
    return IdMint(b"a key").mint(created_at=EPOCH, ends_at=EPOCH + 60, count=count)


def event_of(group: GroupId, index: int, one: Item, **how: Any) -> RequestEvent:
    return first_event(group.request_id(index), one, **how)


# --- where they are kept -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "in_blob"),
    [
        pytest.param([item("short")], False, id="one short item"),
        pytest.param([item_of_size(INLINE_ITEM_BYTES)], False, id="the longest inline item"),
        pytest.param([item_of_size(INLINE_ITEM_BYTES + 1)], True, id="one byte longer"),
        pytest.param([item("x"), item_of_size(200_000)], True, id="one long item among short"),
        pytest.param([item_of_size(50_000)] * 20, False, id="the largest inline group"),
        pytest.param([item_of_size(50_000)] * 20 + [item("x")], True, id="one item more"),
    ],
)
def test_a_large_group_goes_to_a_blob(items: list[Item], in_blob: bool) -> None:
    packed = pack(items)
    assert packed.in_blob is in_blob
    total = sum(map(len, packed.lines))
    assert in_blob or total <= INLINE_GROUP_BYTES


def test_only_a_long_item_is_left_out_of_its_event() -> None:
    packed = pack([item_of_size(INLINE_ITEM_BYTES), item_of_size(INLINE_ITEM_BYTES + 1)])
    assert [packed.is_inline(0), packed.is_inline(1)] == [True, False]


@given(st.lists(st.text(), min_size=1, max_size=8))
def test_every_range_cuts_its_own_item_out_of_the_blob(texts: list[str]) -> None:
    items = [item(text) for text in texts]
    packed = pack(items)
    blob = packed.blob
    for one, place in zip(items, packed.ranges, strict=True):
        line = blob[place.offset : place.offset + place.length]
        assert Item.from_record(orjson.loads(line)) == one


# --- reading them back ---------------------------------------------------------------------------


async def test_a_small_body_is_read_from_its_event_alone() -> None:
    blobs = FakeBlobs(away=True)
    group = group_of(1)
    event = event_of(group, 0, item("short"), inline=True)
    assert await Bodies(blobs=blobs).body(event, group) == item("short").body


async def test_a_large_body_is_read_from_its_place_in_the_blob() -> None:
    items = [item("first"), item("zweite – 数 😀"), item_of_size(100_000)]
    packed, group = pack(items), group_of(3)
    blobs = FakeBlobs({inputs_blob(group.text): packed.blob})
    for index, one in enumerate(items):
        event = event_of(group, index, one, inline=False, blob=packed.ranges[index])
        assert await Bodies(blobs=blobs).body(event, group) == one.body


@pytest.mark.parametrize("carries_place", [True, False], ids=["blob gone", "no place either"])
async def test_an_input_that_is_nowhere_is_missing(carries_place: bool) -> None:
    packed, group = pack([item("x")]), group_of(1)
    place = packed.ranges[0] if carries_place else None
    event = event_of(group, 0, item("x"), inline=False, blob=place)
    with pytest.raises(InputMissing):
        await Bodies(blobs=FakeBlobs()).body(event, group)


@pytest.mark.parametrize(
    "content", [pytest.param(b"", id="empty"), pytest.param(b'{"body": {"mess', id="cut short")]
)
async def test_an_input_that_cannot_be_read_is_missing_and_not_retried_for_ever(
    content: bytes,
) -> None:
    packed, group = pack([item("x")]), group_of(1)
    blobs = FakeBlobs({inputs_blob(group.text): content})
    event = event_of(group, 0, item("x"), inline=False, blob=packed.ranges[0])
    with pytest.raises(InputMissing):
        await Bodies(blobs=blobs).body(event, group)


async def test_a_blob_store_that_is_away_is_no_missing_input() -> None:
    packed, group = pack([item("x")]), group_of(1)
    event = event_of(group, 0, item("x"), inline=False, blob=packed.ranges[0])
    with pytest.raises(DependencyUnavailable):
        await Bodies(blobs=FakeBlobs(away=True)).body(event, group)


async def test_the_sweep_gets_every_item_of_a_group_record() -> None:
    items = [item("first", custom_id="a"), item("second")]
    record = {"in_blob": False, "items": [one.record() for one in items]}
    found = await Bodies(blobs=FakeBlobs(away=True)).all_items(group_of(2), record)
    assert found.lines == pack(items).lines
    assert found.ranges == pack(items).ranges


async def test_the_sweep_gets_every_item_of_a_blob() -> None:
    items = [item("first\nwith a line break"), item_of_size(INLINE_ITEM_BYTES + 1)]
    packed, group = pack(items), group_of(2)
    blobs = FakeBlobs({inputs_blob(group.text): packed.blob})
    found = await Bodies(blobs=blobs).all_items(group, {"in_blob": True})
    assert found == packed


async def test_the_sweep_is_told_when_the_blob_is_gone() -> None:
    with pytest.raises(InputMissing):
        await Bodies(blobs=FakeBlobs()).all_items(group_of(1), {"in_blob": True})
