"""Whose turn it is, hub by hub."""

from __future__ import annotations

import asyncio

import pytest

from local.virtual_time import VirtualClock, in_virtual_time
from ptu_optimizer.admission.send_permission import SendPermissions


def permissions(*, shared: bool = True) -> SendPermissions:
    return SendPermissions(clock=VirtualClock(), shared=shared)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "alone"])
@in_virtual_time
async def test_without_word_a_turn_is_ours_only_where_nobody_else_could_send(shared: bool) -> None:
    turn = permissions(shared=shared).of("requests")
    assert turn.ours is not shared
    assert turn.why == "which process may send is being agreed"


@in_virtual_time
async def test_a_turn_is_of_one_hub() -> None:
    made = permissions()
    made.set("requests", ours=True, why="", until=60)
    assert made.of("requests").ours
    assert not made.of("requests-later").ours


@in_virtual_time
async def test_a_turn_knows_since_when_it_is_as_it_is() -> None:
    made = permissions()
    await asyncio.sleep(5)
    made.set("requests", ours=True, why="", until=60)
    await asyncio.sleep(5)
    made.set("requests", ours=True, why="", until=70)
    assert made.of("requests").since == 5, "renewed, not begun"
    await asyncio.sleep(5)
    made.set("requests", ours=False, why="another process sends", until=70)
    turn = made.of("requests")
    assert (turn.ours, turn.since, turn.why) == (False, 15, "another process sends")


@in_virtual_time
async def test_a_turn_that_nobody_renews_ends_when_it_was_to_end() -> None:
    made = permissions()
    made.set("requests", ours=True, why="", until=10)
    await asyncio.sleep(9.9)
    assert made.of("requests").ours
    await asyncio.sleep(5)
    turn = made.of("requests")
    assert (turn.ours, turn.since) == (False, 10), "however late it is noticed"
