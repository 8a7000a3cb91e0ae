"""The inputs of an accepted group are read back, wherever they are and whatever became of them."""

from __future__ import annotations

import pytest

from local.virtual_time import EPOCH
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.requests import stored_inputs
from ptu_optimizer.requests.bodies import (
    INLINE_ITEM_BYTES,
    InputMissing,
    PackedInputs,
    inputs_blob,
    offsets_blob,
    pack,
)
from ptu_optimizer.requests.groups import GroupRecord
from ptu_optimizer.requests.ids import GroupId, IdMint
from ptu_optimizer.requests.item import Item
from ptu_optimizer.requests.stored_inputs import WINDOW_BYTES, StoredInputs
from tests.support.stores import FakeBlobs, FakeGroups

MINT = IdMint(b"a key of this test")


class CountingBlobs(FakeBlobs):
    def __init__(self) -> None:
        super().__init__()
        self.read_bytes: list[int] = []

    async def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes | None:
        found = await super().read(name, offset=offset, length=length)
        self.read_bytes.append(len(found or b""))
        return found


def item(text: str) -> Item:
    return Item({"messages": [{"role": "user", "content": text}]}, "ptu", EPOCH + 60)


class Scene:
    """A stored group of these items; `offsets`: whether they lie beside the blob."""

    def __init__(self, *items: Item, offsets: bool = True) -> None:
        self.group: GroupId = MINT.mint(created_at=EPOCH, ends_at=EPOCH + 60, count=len(items))
        self.packed: PackedInputs = pack(items)
        self.groups = FakeGroups()
        self.blobs = CountingBlobs()
        self.record = GroupRecord.of(
            self.group, items, in_blob=self.packed.in_blob, created_at=EPOCH
        )
        self.groups.put(self.record.record(self.group))
        if self.packed.in_blob:
            self.blobs.blobs[inputs_blob(self.group.text)] = self.packed.blob
            if offsets:
                self.blobs.blobs[offsets_blob(self.group.text)] = self.packed.offsets.encode()

    def inputs(self, *, queried: bool = True) -> StoredInputs:
        """As the sweep has them; with `queried` the record is without its items."""
        record = self.record
        if queried:
            stored = record.record(self.group)
            record = GroupRecord.from_record({k: v for k, v in stored.items() if k != "items"})
        return StoredInputs(self.group, record, groups=self.groups, blobs=self.blobs)


LARGE = "x" * INLINE_ITEM_BYTES


@pytest.mark.parametrize("queried", [True, False], ids=["of a query", "whole"])
async def test_items_of_a_group_record(queried: bool) -> None:
    scene = Scene(item("first"), item("second"))
    scene.blobs.away = True
    inputs = scene.inputs(queried=queried)
    assert [(await inputs.item(n)).item for n in (0, 1)] == [item("first"), item("second")]
    assert (await inputs.item(1)).place is None


@pytest.mark.parametrize("offsets", [True, False], ids=["with offsets", "of an older release"])
async def test_items_of_a_blob_in_any_order(offsets: bool) -> None:
    items = [item("zweite – 数 😀\n"), item(LARGE), item("third")]
    scene = Scene(*items, offsets=offsets)
    inputs = scene.inputs()
    for index in (2, 0, 1, 0, 2):
        stored = await inputs.item(index)
        assert stored.item == items[index]
        assert stored.place == scene.packed.offsets.place(index)
        assert stored.is_inline is (index != 1)


async def test_damaged_offsets_are_as_good_as_none(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(item("first"), item(LARGE))
    scene.blobs.blobs[offsets_blob(scene.group.text)] = b"damaged"
    assert (await scene.inputs().item(0)).item == item("first")
    assert "offsets of inputs are damaged" in caplog.text


async def test_walking_through_a_large_group_holds_one_window_of_it() -> None:
    scene = Scene(*[item("x" * 100_000) for _ in range(100)])
    inputs = scene.inputs()
    for index in range(100):
        assert (await inputs.item(index)).index == index
    offsets, *windows = scene.blobs.read_bytes
    assert offsets == 101 * 8
    assert max(windows) <= WINDOW_BYTES
    assert sum(windows) < 1.2 * len(scene.packed.blob), "nothing is read twice but window ends"


async def test_an_item_larger_than_a_window_is_read_whole() -> None:
    scene = Scene(item("x" * (stored_inputs.WINDOW_BYTES + 1)), item("y"))
    inputs = scene.inputs()
    assert [(await inputs.item(n)).item.body for n in (0, 1)] == [
        item("x" * (WINDOW_BYTES + 1)).body,
        item("y").body,
    ]


async def test_nothing_is_read_before_an_item_is_asked_for() -> None:
    scene = Scene(item(LARGE))
    scene.inputs()
    assert scene.blobs.read_bytes == []


# --- what may be missing -------------------------------------------------------------------------


@pytest.mark.parametrize("offsets", [True, False], ids=["with offsets", "without"])
async def test_a_blob_that_is_gone_is_a_missing_input(offsets: bool) -> None:
    scene = Scene(item(LARGE), offsets=offsets)
    del scene.blobs.blobs[inputs_blob(scene.group.text)]
    with pytest.raises(InputMissing, match="is gone"):
        await scene.inputs().item(0)


@pytest.mark.parametrize("offsets", [True, False], ids=["with offsets", "without"])
async def test_a_blob_that_was_cut_short_is_a_missing_input(offsets: bool) -> None:
    scene = Scene(item("first"), item(LARGE), offsets=offsets)
    name = inputs_blob(scene.group.text)
    scene.blobs.blobs[name] = scene.blobs.blobs[name][:-1]
    with pytest.raises(InputMissing, match=r"cut short|cannot be read"):
        await scene.inputs().item(1)


async def test_a_blob_with_another_number_of_lines_is_a_missing_input() -> None:
    scene = Scene(item("first"), item(LARGE), offsets=False)
    scene.blobs.blobs[inputs_blob(scene.group.text)] += b"\n{}"
    with pytest.raises(InputMissing, match="holds 3 inputs, not 2"):
        await scene.inputs().item(0)


async def test_a_group_record_with_fewer_items_is_a_missing_input() -> None:
    scene = Scene(item("first"), item("second"))
    record = scene.record.record(scene.group)
    scene.groups.put(record | {"items": record["items"][:1]})
    inputs = scene.inputs()
    assert (await inputs.item(0)).item == item("first")
    with pytest.raises(InputMissing, match="for 1 requests only"):
        await inputs.item(1)


async def test_a_group_record_that_is_not_visible_is_no_missing_input() -> None:
    scene = Scene(item("first"))
    scene.groups.records.clear()
    with pytest.raises(DependencyUnavailable):
        await scene.inputs().item(0)


async def test_a_store_that_is_away_is_no_missing_input() -> None:
    scene = Scene(item(LARGE))
    scene.blobs.away = True
    with pytest.raises(DependencyUnavailable):
        await scene.inputs().item(0)
