"""Something that is read again and again while the demo runs."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from ptu_optimizer.background import Background

log = logging.getLogger(__name__)


class KeptFresh(ABC):
    """Looks at intervals while it is entered."""

    def __init__(self, *, look_seconds: float, failed: str) -> None:
        self._looking = Background(self._look, interval=look_seconds, log=log, failed=failed)

    async def __aenter__(self) -> Self:
        self._looking.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._looking.stop()
        await self._left()

    @abstractmethod
    async def _look(self) -> None:
        """Read it once."""

    async def _left(self) -> None:
        """Clean up after the last look."""
        return
