"""Readiness of what the app stands on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.requests.id_keys import Ids, KeyState
from ptu_optimizer.telemetry import logger

_log = logger("health")

CHECK_SECONDS = 5.0
Check = Callable[[], Awaitable[None]]


class Health:
    def __init__(self, *, checks: Mapping[str, Check], ids: Ids) -> None:
        self._checks = checks
        self._ids = ids

    async def ready(self) -> dict[str, bool]:
        """Each dependency, and whether it answered in time. Anyone may ask: names only."""
        answers = await asyncio.gather(*(self._check(name) for name in self._checks))
        return dict(zip(self._checks, answers, strict=True))

    @property
    def request_id_key(self) -> KeyState:
        """What is known of the key already: asking must not start a read, since anyone may ask."""
        return self._ids.state

    async def _check(self, name: str) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._checks[name]()
        except (DependencyUnavailable, TimeoutError) as error:
            _log.warning("a dependency is not ready", extra={"name_": name, "reason": str(error)})
            return False
        return True
