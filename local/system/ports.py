"""The ports of the local system: fixed unless the user says otherwise."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from local.system.errors import SystemFailed

LOOPBACK = "127.0.0.1"

TEST_PORTS = (20_000, 32_000)
"""Below the ports that systems give to outgoing connections (Linux: from 32768): such a connection
could take one between our look and the part's."""

OPTIONS: Mapping[str, str] = {
    "host": "Functions host",
    "event_hubs": "Event Hubs",
    "cosmos": "Cosmos DB",
    "ptu": "Azure OpenAI",
    "blobs": "Azurite",
}
"""Each port's field and what listens there; the option is `--{field}-port`."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where each part listens. A second host takes the port after the first one's, and so on."""

    host: int = 7071
    event_hubs: int = 5672
    cosmos: int = 8081
    ptu: int = 8090
    blobs: int = 10000

    @classmethod
    def from_base(cls, base: int) -> Ports:
        """Five ports in a row, the hosts last because there may be more of them."""
        return cls(blobs=base, event_hubs=base + 1, cosmos=base + 2, ptu=base + 3, host=base + 4)

    @classmethod
    def free(cls, *, hosts: int = 1) -> Ports:
        """Ports that nobody uses now, with room for `hosts` hosts; for tests."""
        for _ in range(50):
            candidate = cls.from_base(random.randrange(*TEST_PORTS))
            if not taken(candidate, hosts=hosts):
                return candidate
        raise SystemFailed("no run of free ports found on this machine")


def taken(ports: Ports, *, hosts: int) -> list[tuple[str, int]]:
    """The ports that something else listens on, each with its field in `Ports`."""
    wanted = [(field, getattr(ports, field)) for field in OPTIONS if field != "host"]
    wanted += [("host", ports.host + index) for index in range(hosts)]
    return [(field, port) for field, port in wanted if not _can_listen(port)]


def require_free(ports: Ports, *, hosts: int) -> None:
    """Raise SystemFailed naming every taken port and the option that moves it."""
    clashes = taken(ports, hosts=hosts)
    if clashes:
        lines = [
            f"port {port} ({OPTIONS[field]}) is taken; --{field.replace('_', '-')}-port moves it"
            for field, port in clashes
        ]
        raise SystemFailed(
            "\n".join(lines) + "\nStop what listens there, or move everything: --port-base 20000"
        )


def _can_listen(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # without it, connections that ended a moment ago would count as taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
        return True
