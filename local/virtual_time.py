"""Time that passes only when nothing else is left to do: for tests and benchmarks of what waits.

    @in_virtual_time
    async def test_a_minute_passes_at_once() -> None:
        clock = VirtualClock()
        await clock.sleep(60)
        assert clock.monotonic() == 60

The event loop's own time is virtual, so `asyncio.wait(timeout=…)`, `call_later` and `sleep` agree
with the clock. A loop that nothing can wake any more raises `Stuck` instead of hanging the tests.
No threads and no sockets: time would run away from them.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ParamSpec, TypeVar

EPOCH = 1_800_000_000.0
"""The wall time at which virtual time starts (2027-01-15T08:00:00Z)."""

P = ParamSpec("P")
T = TypeVar("T")


class Stuck(RuntimeError):
    """Nothing is ready and no timer is set: the test would wait for ever."""


_Ready = list[tuple[selectors.SelectorKey, int]]

_OWN_PIPE = 1
"""What a loop registers for itself: with nothing else, there is nothing to look for."""


class _JumpingSelector(selectors.BaseSelector):
    """A selector that lets virtual time pass where a real one would block."""

    def __init__(self, real: selectors.BaseSelector) -> None:
        self._real = real
        self._registered = 0
        self.now = 0.0

    def select(self, timeout: float | None = None) -> _Ready:
        if self._registered == _OWN_PIPE and timeout is not None:
            # a system call for every callback would take longer than most of them
            if timeout > 0:
                self.now += timeout
            return []
        ready = self._real.select(0)
        if not ready and timeout is None:
            raise Stuck("nothing is ready and no timer is set")
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._registered += 1
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        self._registered -= 1
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its `time()` starts at 0 and jumps to the next timer when nothing is ready."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector(selectors.DefaultSelector())
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class VirtualClock:
    """A `ptu_optimizer.clock.Clock` on the running loop's time. `skew` moves its wall time."""

    def __init__(self, *, skew: float = 0.0) -> None:
        self.skew = skew
        self._loop: asyncio.AbstractEventLoop | None = None

    def now(self) -> float:
        return EPOCH + self.skew + self.monotonic()

    def monotonic(self) -> float:
        if self._loop is None:  # asked for a million times in a benchmark's row
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a virtual time of its own."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make a plain test of an async one; its loop's time is virtual and starts at 0."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_virtually(test(*args, **kwargs))

    return run
