"""Waiting for real processes and sockets: until something is so, never for a fixed time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""A slow machine that others use too stays well under this; nothing waits so long if all is well"""


async def until(
    condition: Callable[[], T | Awaitable[T | None] | None],
    what: str,
    *,
    seconds: float = PATIENCE_SECONDS,
    every: float = 0.05,
) -> T:
    """The first true value of `condition`; fails naming `what` if none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        found: T | None = await value if inspect.isawaitable(value) else value
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}; last: {found!r}")
        await asyncio.sleep(every)
