"""What a host is started with."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.host.errors import RefusedError

DEFAULT_PORT = 7071
"""The port of `func start`."""


@dataclass(frozen=True, kw_only=True)
class HostOptions:
    """Options of one host; `port` 0 takes a free one."""

    app: Path
    port: int = DEFAULT_PORT
    address: str = "127.0.0.1"
    settings: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    isolate: bool = False
    """As Flex Consumption: HTTP functions share a worker, every other function has its own."""
    keys: Path | None = None
    data: Path | None = None
    """Folder for the keys file if `keys` is not given; `.local/host` of the app by default."""
    grace_seconds: float = 30.0
    """How long running functions may take to end when the host is told to stop."""
    ownership_expiry_seconds: float = 6.0
    """After this a silent host's partitions go to others. Azure waits minutes; a developer, not."""
    balance_seconds: float = 1.0
    """How often partitions are balanced between hosts, and ownership renewed."""

    def __post_init__(self) -> None:
        try:
            loopback = ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise RefusedError(f"--address: {self.address} is not a loopback address")
        if self.ownership_expiry_seconds < 2 * self.balance_seconds + 1:
            # Blob times have a resolution of one second, and a renewal may be a little late.
            raise RefusedError(
                "--ownership-expiry must exceed twice --balance-interval by at least one second"
            )

    @property
    def keys_path(self) -> Path:
        """Where the access keys are."""
        return self.keys or (self.data or self.app / ".local" / "host") / "keys.json"
