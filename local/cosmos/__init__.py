"""A Cosmos DB (NoSQL) account on this machine, for the unmodified azure-cosmos SDK.

    async with CosmosServer(schema=SCHEMA) as server:
        CosmosClient.from_connection_string(server.connection_string)

Point operations, transactional batches, TTL and one-partition queries in a subset of the SQL: what
the app needs, and nothing that it should not use. What Azure would refuse, this refuses; what is
outside the subset it refuses with 400 and names it. `python -m local.cosmos --help` runs it alone.
"""

from .counters import Counters
from .faults import Faults, Operation
from .schema import SCHEMA
from .server import EMULATOR_KEY, CosmosServer

__all__ = [
    "EMULATOR_KEY",
    "SCHEMA",
    "CosmosServer",
    "Counters",
    "Faults",
    "Operation",
]
