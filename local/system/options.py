"""How a local system is to be: everything that `./dev up`, demo, tests and benchmarks choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.dev import paths
from local.system.ports import Ports

HUBS: Mapping[str, int] = {
    "requests": 4,
    "requests-soon": 2,
    "requests-later": 4,
    "usage": 4,
}
"""The hubs of the namespace and their partitions: enough to share between several hosts."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment of the simulated Azure OpenAI resource."""

    name: str = "gpt-4.1"
    model: str = "gpt-4.1"
    ptus: int = 660
    more: str = ""
    """Further `key=value` pairs for `local.ptu`, comma-separated, as its help lists them."""

    def argument(self) -> str:
        return f"name={self.name},model={self.model},ptus={self.ptus}" + (
            f",{self.more}" if self.more else ""
        )


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a `LocalSystem` starts.

    `data` is the folder that outlives a run; None keeps everything in memory. `settings` are app
    settings that are added to, or replace, those of `local.system.settings.app_settings`.
    """

    ports: Ports = field(default_factory=Ports)
    hosts: int = 1
    further_hosts: int = 0
    """Hosts that will be started later: their ports must be free from the start."""
    data: Path | None = None
    fresh: bool = False
    """Forget what is kept in `data` first."""
    logs: Path = paths.LOGS
    app: Path = paths.ROOT
    isolate: bool = False
    """One process for all HTTP functions and one for every other function, as Flex does."""
    hubs: Mapping[str, int] = field(default_factory=lambda: dict(HUBS))
    deployments: tuple[Deployment, ...] = (Deployment(),)
    ptu_arguments: tuple[str, ...] = ()
    """Further arguments of `local.ptu`: latency, metric delay, faults."""
    seed: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    host_grace_seconds: float = 20.0
    """How long running functions of a stopped host may take to end."""
    part_grace_seconds: float = 5.0
    """How long a stopped part may take to end before it is killed."""
