"""First events are published chunk by chunk, and a cursor says how far."""

from __future__ import annotations

from collections import Counter

import pytest

from local.virtual_time import EPOCH, VirtualClock, in_virtual_time
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_SOON
from ptu_optimizer.requests.bodies import PackedInputs, pack
from ptu_optimizer.requests.dispatch.decoding import decode
from ptu_optimizer.requests.envelope import RequestEvent
from ptu_optimizer.requests.ids import IdMint
from ptu_optimizer.requests.intake.first_events import CHUNK_ITEMS, FirstEvents, Published
from ptu_optimizer.requests.item import Item, Priority
from ptu_optimizer.requests.urgency import Urgency
from tests.support.publishing import FakePublisher

DAY = 86_400.0
MINT = IdMint(b"a key of this test")


def item(text: str = "x", *, priority: Priority = Priority.NORMAL) -> Item:
    body = {"messages": [{"role": "user", "content": text}]}
    return Item(body, "ptu", EPOCH + DAY, priority=priority)


class Scene:
    def __init__(
        self, *items: Item, publisher: FakePublisher | None = None, tenant: str = ""
    ) -> None:
        self.publisher = publisher or FakePublisher()
        self.packed: PackedInputs = pack(items)
        self.group = MINT.mint(
            created_at=EPOCH, ends_at=EPOCH + 2 * DAY, count=len(items), tenant=tenant
        )
        self.events = FirstEvents(
            publisher=self.publisher, urgency=Urgency(soon=900), clock=VirtualClock()
        )

    async def publish(self, *, start: int = 0) -> list[Published]:
        stored = self.packed.stored(start=start)
        return [one async for one in self.events.publish(self.group, stored)]

    @property
    def published(self) -> list[RequestEvent]:
        found = [decode(one.payload) for _, batch in self.publisher.batches for one in batch]
        return [event for event in found if isinstance(event, RequestEvent)]


@in_virtual_time
async def test_a_call_is_one_chunk() -> None:
    scene = Scene(*[item()] * 5_000)
    assert await scene.publish() == [Published(cursor=5_000, items=5_000, sent=5_000)]
    assert [len(batch) for _, batch in scene.publisher.batches] == [5_000]


@pytest.mark.parametrize(
    ("items", "cursors"),
    [
        pytest.param([item()] * (CHUNK_ITEMS + 1), [CHUNK_ITEMS, CHUNK_ITEMS + 1], id="many"),
        pytest.param([item("x" * 3_000_000)] * 5, [2, 4, 5], id="large"),
        pytest.param([item("x" * 9_000_000), item()], [1, 2], id="one larger than a chunk"),
        pytest.param([], [], id="none"),
    ],
)
@in_virtual_time
async def test_a_large_group_is_published_in_chunks(items: list[Item], cursors: list[int]) -> None:
    scene = Scene(*items)
    assert [one.cursor for one in await scene.publish()] == cursors
    assert [event.request_id for event in scene.published] == [
        scene.group.request_id(index) for index in range(len(items))
    ]


@in_virtual_time
async def test_who_goes_on_at_a_cursor_publishes_every_event_once() -> None:
    scene = Scene(*[item("x" * 3_000_000)] * 5)
    first = await anext(scene.events.publish(scene.group, scene.packed.stored()))
    # the process ended here
    await scene.publish(start=first.cursor)
    assert Counter(event.request_id for event in scene.published) == {
        scene.group.request_id(index): 1 for index in range(5)
    }


@in_virtual_time
async def test_a_chunk_that_fails_is_counted_and_the_next_one_is_tried() -> None:
    scene = Scene(*[item("x" * 3_000_000)] * 5, publisher=FakePublisher(failures=1))
    assert [one.sent for one in await scene.publish()] == [0, 2, 1]


@in_virtual_time
async def test_each_hub_gets_one_publication_of_a_chunk() -> None:
    scene = Scene(*[item(), item(priority=Priority.HIGH)] * 3)
    await scene.publish()
    assert sorted((hub, len(batch)) for hub, batch in scene.publisher.batches) == [
        (REQUESTS, 3),
        (REQUESTS_SOON, 3),
    ]


@pytest.mark.parametrize("text", ["short", "x" * 100_000], ids=["in the event", "in the blob"])
@in_virtual_time
async def test_an_event_says_whose_request_it_is(text: str) -> None:
    scene = Scene(item(text), tenant="Forschung – 数")
    await scene.publish()
    (event,) = scene.published
    assert event.tenant == "Forschung – 数"
    assert MINT.parse_request(event.request_id, tenant=event.tenant).index == 0


@in_virtual_time
async def test_a_hub_that_is_away_is_noticed_before_anything_is_promised() -> None:
    scene = Scene(item(), publisher=FakePublisher(away=True))
    with pytest.raises(DependencyUnavailable):
        await scene.events.ready([item()])
