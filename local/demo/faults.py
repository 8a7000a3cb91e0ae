"""The crash in the middle of the demo."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from local.demo.progress import View
from local.demo.truth import Books, PtuTruth
from local.system import LocalSystem

HOST, WORKER = "host", "worker"

SETTLE_SECONDS = 0.1
"""By then the calls that the killed process had already written to its sockets have arrived."""


@dataclass(frozen=True)
class Crash:
    """What was killed and what it hit."""

    what: str
    in_flight: int
    """Batch calls that were in flight at the PTU at some instant between two looks at its books,
    just before the kill and SETTLE_SECONDS after it."""


async def crash(what: str, *, system: LocalSystem, truth: PtuTruth, view: View) -> Crash:
    """kill -9 a host and start another, or kill -9 the workers of a host that lives on."""
    before = await truth.books()
    if what == HOST:
        await system.kill_host(0)
    else:
        await system.kill_worker(0)
    await asyncio.sleep(SETTLE_SECONDS)
    hit = Crash(what, in_flight_between(before, await truth.books()))
    view.say(f"kill -9 of {what} 0, with {hit.in_flight} calls in flight")
    if what == HOST:
        number = await system.start_host()
        view.say(f"host {number} started")
    return hit


def in_flight_between(before: Books, after: Books) -> int:
    """Calls in flight at any instant between: those still there, and those that ended since."""
    return after.batch_in_flight + after.batch_ended - before.batch_ended
