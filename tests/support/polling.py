"""Waiting for real processes and sockets: until something is so, never for a fixed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""A slow machine that others use too stays well under it; what goes well never waits so long."""


async def eventually(
    look: Callable[[], Awaitable[T | None]],
    what: str,
    *,
    seconds: float = PATIENCE_SECONDS,
    every: float = 0.05,
) -> T:
    """The first true answer of `look`; fails naming `what` if none comes in time."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}; last: {found!r}")
        await asyncio.sleep(every)
    return found


async def until(
    condition: Callable[[], bool],
    what: str,
    *,
    seconds: float = PATIENCE_SECONDS,
    every: float = 0.05,
) -> None:
    """Wait until `condition` holds; fails naming `what` if it does not in time."""

    async def look() -> bool:
        return condition()

    await eventually(look, what, seconds=seconds, every=every)
