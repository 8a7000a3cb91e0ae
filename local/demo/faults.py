"""The crash in the middle of the demo."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from local.demo.progress import View
from local.demo.truth import LedgerTruth
from local.system import LocalSystem
from local.system.processes import children

HOST, WORKER = "host", "worker"

SETTLE_SECONDS = 0.5
"""By then the writes that the killed process had already sent have reached the store."""


@dataclass(frozen=True)
class Crash:
    """What was killed and what it hit."""

    what: str
    in_flight: int
    """Calls that the killed workers had under way: claimed in the ledger, with nothing written of
    how they ended. The PTU's own count would miss calls whose answer was on its way back."""


async def crash(what: str, *, system: LocalSystem, ledger: LedgerTruth, view: View) -> Crash:
    """kill -9 a host and start another, or kill -9 the workers of a host that lives on."""
    if what == HOST:
        workers = children(system.hosts[0].pid)
        await system.kill_host(0)
    else:
        workers = await system.kill_worker(0)
    await asyncio.sleep(SETTLE_SECONDS)
    hit = Crash(what, await ledger.attempts_under_way(workers))
    view.say(f"kill -9 of {what} 0, with {hit.in_flight} calls in flight")
    if what == HOST:
        number = await system.start_host()
        view.say(f"host {number} started")
    return hit
