"""The local system under one supervisor: Azurite, Event Hubs, Cosmos DB, a PTU and N hosts.

`async with LocalSystem(Options()) as system:` is what `./dev up`, `./dev demo`, the end-to-end
tests and the benchmarks all start with.
"""

from local.system.errors import PartDied, SystemFailed
from local.system.options import Options
from local.system.ports import Ports
from local.system.supervisor import LocalSystem

__all__ = ["LocalSystem", "Options", "PartDied", "Ports", "SystemFailed"]
