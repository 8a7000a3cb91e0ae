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
    LineOffsets,
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
    assert [stored.is_inline for stored in packed.stored()] == [True, False]


@given(st.lists(st.text(), min_size=1, max_size=8))
def test_every_range_cuts_its_own_item_out_of_the_blob(texts: list[str]) -> None:
    items = [item(text) for text in texts]
    packed = pack(items)
    blob = packed.blob
    for one, stored in zip(items, packed.stored(), strict=True):
        place = packed.offsets.place(stored.index)
        line = blob[place.offset : place.offset + place.length]
        assert Item.from_record(orjson.loads(line)) == one


def test_stored_items_know_their_place_only_in_a_blob() -> None:
    in_record = pack([item("x")])
    in_blob = pack([item("x"), item_of_size(INLINE_ITEM_BYTES + 1)])
    assert [stored.place for stored in in_record.stored()] == [None]
    places = [stored.place for stored in in_blob.stored()]
    assert places == [in_blob.offsets.place(0), in_blob.offsets.place(1)]


def test_stored_items_can_be_taken_from_any_index_on() -> None:
    packed = pack([item(str(n)) for n in range(4)])
    assert [stored.index for stored in packed.stored(start=2)] == [2, 3]
    assert list(packed.stored(start=4)) == []


# --- where the lines lie -------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=1), min_size=1, max_size=20))
def test_offsets_survive_their_storage(lines: list[bytes]) -> None:
    offsets = LineOffsets.of(lines)
    read = LineOffsets.decode(offsets.encode(), count=len(lines))
    assert len(read) == len(lines)
    for index, line in enumerate(lines):
        place = read.place(index)
        assert b"\n".join(lines)[place.offset : place.offset + place.length] == line


def test_offsets_are_little_endian_on_every_machine() -> None:
    assert LineOffsets.of([b"ab"]).encode() == bytes(8) + b"\3" + bytes(7)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(8), id="no end"),
        pytest.param(LineOffsets.of([b"a", b"b"]).encode()[:-1], id="cut"),
        pytest.param(LineOffsets.of([b"a"]).encode(), id="of a smaller group"),
        pytest.param(LineOffsets.of([b"a", b"b", b"c"]).encode(), id="of a larger group"),
        pytest.param(bytes(24), id="zeros"),
        pytest.param(b"\1" + LineOffsets.of([b"abc", b"b"]).encode()[1:], id="a late beginning"),
    ],
)
def test_damaged_offsets_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"lines|multiple"):
        LineOffsets.decode(raw, count=2)


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
        event = event_of(group, index, one, inline=False, blob=packed.offsets.place(index))
        assert await Bodies(blobs=blobs).body(event, group) == one.body


@pytest.mark.parametrize("carries_place", [True, False], ids=["blob gone", "no place either"])
async def test_an_input_that_is_nowhere_is_missing(carries_place: bool) -> None:
    packed, group = pack([item("x")]), group_of(1)
    place = packed.offsets.place(0) if carries_place else None
    event = event_of(group, 0, item("x"), inline=False, blob=place)
    with pytest.raises(InputMissing):
        await Bodies(blobs=FakeBlobs()).body(event, group)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"body": {"mess', id="cut short"),
        pytest.param(b'{"body": {}, "deployment": "d", "deadline": 1}', id="a field is missing"),
        pytest.param(b"[]", id="not an object"),
    ],
)
async def test_an_input_that_cannot_be_read_is_missing_and_not_retried_for_ever(
    content: bytes,
) -> None:
    packed, group = pack([item("x")]), group_of(1)
    blobs = FakeBlobs({inputs_blob(group.text): content})
    event = event_of(group, 0, item("x"), inline=False, blob=packed.offsets.place(0))
    with pytest.raises(InputMissing):
        await Bodies(blobs=blobs).body(event, group)


async def test_a_blob_store_that_is_away_is_no_missing_input() -> None:
    packed, group = pack([item("x")]), group_of(1)
    event = event_of(group, 0, item("x"), inline=False, blob=packed.offsets.place(0))
    with pytest.raises(DependencyUnavailable):
        await Bodies(blobs=FakeBlobs(away=True)).body(event, group)
