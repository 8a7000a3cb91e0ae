"""A background loop ends when it is told to, and only then, whatever its steps do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from local.virtual_time import in_virtual_time, run_virtually
from ptu_optimizer.background import AGAIN_SECONDS, Background, end

LOG = logging.getLogger("tests.background")
FAILED = "the work failed unexpectedly"
INTERVAL = 10.0


async def forever() -> None:
    await asyncio.sleep(1e6)


def now() -> float:
    return asyncio.get_running_loop().time()


class Work:
    """Steps that note when they began, and do what a test wants."""

    def __init__(self, does: Callable[[], Any] | None = None) -> None:
        self.begun: list[float] = []
        self.ended = 0
        self.last: list[float] = []
        self._does = does

    async def step(self) -> float | None:
        self.begun.append(now())
        pause: float | None = None
        if self._does is not None:
            pause = await self._does()
        self.ended += 1
        return pause

    async def leave(self) -> None:
        self.last.append(now())

    def background(self, **options: Any) -> Background:
        return Background(self.step, interval=INTERVAL, log=LOG, failed=FAILED, **options)


def others() -> set[asyncio.Task[Any]]:
    """The tasks that are left beside the test."""
    return asyncio.all_tasks() - {asyncio.current_task()}


# --- its rounds ----------------------------------------------------------------------------------


@in_virtual_time
async def test_a_step_follows_the_other_after_the_interval() -> None:
    work = Work()
    background = work.background()
    background.start()
    background.start()
    await asyncio.sleep(25)
    await background.stop()
    assert work.begun == [0, 10, 20]
    assert others() == set()


@in_virtual_time
async def test_a_step_may_say_when_the_next_one_is_due() -> None:
    async def soon() -> float:
        return 2.0

    work = Work(soon)
    background = work.background()
    background.start()
    await asyncio.sleep(5)
    await background.stop()
    assert work.begun == [0, 2, 4]


@in_virtual_time
async def test_the_first_step_may_come_later() -> None:
    work = Work()
    background = work.background(first_after=3.0)
    background.start()
    await asyncio.sleep(15)
    await background.stop()
    assert work.begun == [3, 13]


@in_virtual_time
async def test_a_wake_ends_the_pause() -> None:
    work = Work()
    background = work.background()
    background.start()
    await asyncio.sleep(4)
    background.wake()
    await asyncio.sleep(8)
    await background.stop()
    assert work.begun == [0, 4]


@in_virtual_time
async def test_a_wake_during_a_step_is_not_lost() -> None:
    async def second() -> None:
        await asyncio.sleep(1)

    work = Work(second)
    background = work.background()
    background.start()
    await asyncio.sleep(0.5)
    background.wake()
    await asyncio.sleep(5)
    await background.stop()
    assert work.begun == [0, 1]


# --- while somebody is inside --------------------------------------------------------------------


@in_virtual_time
async def test_it_runs_while_somebody_is_inside_and_once_more_at_the_end() -> None:
    work = Work()
    background = work.background(last=work.leave)
    async with background.active():
        async with background.active():
            await asyncio.sleep(15)
        await asyncio.sleep(10)
    await asyncio.sleep(60)
    assert work.begun == [0, 10, 20]
    assert work.last == [30]
    assert others() == set()


@in_virtual_time
async def test_somebody_who_comes_in_during_the_last_step_does_not_wait_in_vain() -> None:
    work = Work()

    async def leave() -> None:
        await work.leave()
        await asyncio.sleep(2)

    background = work.background(last=leave)
    async with background.active():
        await asyncio.sleep(5)
    await asyncio.sleep(6)
    assert work.last == [10]
    async with background.active():
        await asyncio.sleep(5)
    assert work.begun == [0, 12]
    await background.stop()


@in_virtual_time
async def test_it_begins_again_with_the_next_one_inside() -> None:
    work = Work()
    background = work.background()
    for _ in range(2):
        async with background.active():
            await asyncio.sleep(5)
        await asyncio.sleep(20)
    assert work.begun == [0, 25]


# --- what a step may throw -----------------------------------------------------------------------


async def cancelled() -> None:
    """As a library does whose own task was cancelled."""
    raise asyncio.CancelledError("a library's own")


async def cancels_its_task() -> None:
    """As a library does that ends its time by a cancellation and forgets to take it back."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


async def fails() -> None:
    raise RuntimeError("nobody thought of this")


@pytest.mark.parametrize("does", [cancelled, cancels_its_task, fails])
@in_virtual_time
async def test_the_next_step_follows_and_the_error_is_logged(
    does: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(does)
    background = work.background()
    background.start()
    await asyncio.sleep(25)
    await background.stop()
    assert work.begun == [0, 10, 20]
    assert [(one.levelname, one.message) for one in caplog.records] == [("ERROR", FAILED)] * 3
    assert all(one.exc_info for one in caplog.records)


@in_virtual_time
async def test_a_last_step_that_is_cancelled_by_a_library_does_not_stop_it_for_good() -> None:
    work = Work()
    background = work.background(last=cancelled)
    for _ in range(2):
        async with background.active():
            await asyncio.sleep(5)
        await asyncio.sleep(20)
    assert work.begun == [0, 25]


# --- stop ----------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_step_that_swallows_the_cancellation_is_the_last_one() -> None:
    """As the client of Event Hubs does while it asks for a partition's properties."""

    async def swallows() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    work = Work(swallows)
    background = work.background(last=work.leave)
    background.start()
    await asyncio.sleep(1)
    await background.stop()
    assert (work.ended, now()) == (1, 1)
    await asyncio.sleep(60)
    assert (len(work.begun), work.last) == (1, [])
    assert others() == set()


@in_virtual_time
async def test_a_step_that_swallows_several_cancellations_is_cancelled_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 5:
            try:
                await forever()
            except asyncio.CancelledError:
                swallowed += 1

    work = Work(stubborn)
    background = work.background()
    background.start()
    await asyncio.sleep(1)
    await background.stop(within=10.0)
    assert swallowed == 5
    assert now() == pytest.approx(1 + 4 * AGAIN_SECONDS)
    assert others() == set()


@in_virtual_time
async def test_a_step_that_cleans_up_is_not_disturbed_at_once() -> None:
    cleaned = False

    async def tidy() -> None:
        nonlocal cleaned
        try:
            await forever()
        finally:
            await asyncio.sleep(AGAIN_SECONDS / 2)
            cleaned = True

    work = Work(tidy)
    background = work.background()
    background.start()
    await asyncio.sleep(1)
    await background.stop()
    assert cleaned


@in_virtual_time
async def test_a_step_that_hangs_is_abandoned_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    let_go = asyncio.Event()

    async def hangs() -> None:
        while not let_go.is_set():
            try:
                await forever()
            except asyncio.CancelledError:
                continue

    work = Work(hangs)
    background = work.background(last=work.leave)
    background.start()
    await asyncio.sleep(1)
    await background.stop(within=2.0)
    assert now() == pytest.approx(3)
    assert [(one.levelname, one.message) for one in caplog.records] == [
        ("WARNING", "a background step is abandoned")
    ]
    let_go.set()
    (left,) = others()
    left.cancel()
    await asyncio.wait({left})
    await asyncio.sleep(60)
    assert (len(work.begun), work.last) == (1, []), "nothing follows it"


@in_virtual_time
async def test_an_error_on_the_way_out_is_not_reported_by_asyncio(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks() -> None:
        try:
            await forever()
        finally:
            raise RuntimeError("the connection is gone")

    background = Work(breaks).background()
    background.start()
    await asyncio.sleep(1)
    await background.stop()
    del background
    assert caplog.records == []


@in_virtual_time
async def test_a_stop_with_grace_lets_the_step_end_and_leaves() -> None:
    async def slow() -> None:
        await asyncio.sleep(3)

    work = Work(slow)
    background = work.background(last=work.leave)
    background.start()
    await asyncio.sleep(1)
    await background.stop(grace=5.0)
    assert (work.ended, work.last, now()) == (1, [3], 3)


@in_virtual_time
async def test_a_stop_with_grace_ends_the_pause() -> None:
    work = Work()
    background = work.background(last=work.leave)
    background.start()
    await asyncio.sleep(1)
    await background.stop(grace=5.0)
    assert (work.begun, work.last, now()) == ([0], [1], 1)


@in_virtual_time
async def test_the_grace_ends() -> None:
    work = Work(forever)
    background = work.background(last=work.leave)
    background.start()
    await asyncio.sleep(1)
    await background.stop(grace=5.0)
    assert (work.ended, work.last, now()) == (0, [], 6)
    assert others() == set()


@in_virtual_time
async def test_a_stop_before_the_start_does_nothing() -> None:
    work = Work()
    background = work.background(last=work.leave)
    await background.stop(grace=1.0)
    assert now() == 0
    background.start()
    await asyncio.sleep(15)
    await background.stop()
    assert (work.begun, work.last) == ([0, 10], [])


@in_virtual_time
async def test_a_stop_right_after_the_start_lets_no_step_begin() -> None:
    work = Work()
    background = work.background(last=work.leave)
    background.start()
    await background.stop()
    await asyncio.sleep(60)
    assert (work.begun, work.last) == ([], [])


@in_virtual_time
async def test_a_second_stop_does_nothing_and_two_at_once_both_return() -> None:
    work = Work()
    background = work.background()
    background.start()
    await asyncio.sleep(1)
    await asyncio.gather(background.stop(), background.stop(grace=1.0))
    await background.stop()
    assert (work.begun, now()) == ([0], 1)


@in_virtual_time
async def test_it_may_be_started_again() -> None:
    work = Work()
    background = work.background()
    for _ in range(2):
        background.start()
        await asyncio.sleep(5)
        await background.stop()
    assert work.begun == [0, 5]


@in_virtual_time
async def test_a_step_may_stop_its_own_loop() -> None:
    async def enough() -> None:
        await background.stop()

    work = Work(enough)
    background = work.background(last=work.leave)
    background.start()
    await asyncio.sleep(60)
    assert (work.begun, work.ended, work.last) == ([0], 1, [])
    assert others() == set()


@pytest.mark.parametrize("grace", [0.0, 100.0])
@in_virtual_time
async def test_whoever_awaits_the_stop_may_be_cancelled_and_it_ends_all_the_same(
    grace: float,
) -> None:
    async def swallows_one() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            await asyncio.sleep(30)

    work = Work(swallows_one)
    background = work.background(last=work.leave)
    background.start()
    await asyncio.sleep(1)
    stopping = asyncio.create_task(background.stop(grace=grace, within=100.0))
    await asyncio.sleep(AGAIN_SECONDS / 2)
    stopping.cancel()
    await asyncio.wait({stopping})
    assert stopping.cancelled(), "the cancellation is passed on"
    await asyncio.sleep(60)
    assert (len(work.begun), work.last) == (1, [])
    assert others() == set()


def test_the_end_of_the_program_ends_it() -> None:
    """`asyncio.run` cancels every task once and waits for all of them."""
    work = Work()

    async def swallows() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            return

    async def main() -> None:
        for does in (None, swallows):
            work._does = does
            work.background(last=work.leave).start()
            await asyncio.sleep(1)

    run_virtually(main())
    assert (len(work.begun), work.last) == (2, [])


# --- a task of its own ---------------------------------------------------------------------------


@in_virtual_time
async def test_a_task_is_ended_whatever_it_swallows_and_its_error_is_not_raised() -> None:
    async def stubborn() -> None:
        for _ in range(3):
            with suppress(asyncio.CancelledError):
                await forever()
        raise RuntimeError("the connection is gone")

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(1)
    await end(task, log=LOG)
    assert task.done()
    assert now() == pytest.approx(1 + 2 * AGAIN_SECONDS)


@in_virtual_time
async def test_a_task_may_end_by_itself_for_a_while() -> None:
    quick, slow = asyncio.create_task(asyncio.sleep(1)), asyncio.create_task(forever())
    await asyncio.gather(end(quick, log=LOG, grace=3.0), end(slow, log=LOG, grace=3.0))
    assert (quick.cancelled(), slow.cancelled(), now()) == (False, True, 3)


@in_virtual_time
async def test_whoever_ends_a_task_may_be_cancelled_and_it_is_cancelled_as_well() -> None:
    task = asyncio.create_task(forever())
    ending = asyncio.create_task(end(task, log=LOG, grace=30.0))
    await asyncio.sleep(1)
    ending.cancel()
    await asyncio.wait({task, ending})
    assert (task.cancelled(), ending.cancelled(), now()) == (True, True, 1)


@in_virtual_time
async def test_a_task_that_has_ended_needs_no_end() -> None:
    task = asyncio.create_task(fails())
    await asyncio.sleep(1)
    await end(task, log=LOG)
    assert now() == 1
