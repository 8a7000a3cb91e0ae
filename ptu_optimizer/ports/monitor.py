"""Azure Monitor, as the use cases need it."""

from __future__ import annotations

from typing import Protocol

from ptu_optimizer.capacity.signals.minute import Minute


class Monitor(Protocol):
    """The one-minute metrics of the deployments."""

    async def minutes(self) -> list[Minute]:
        """The minutes of the last ten that are over and have a figure. Raises
        DependencyUnavailable.
        """
        ...
