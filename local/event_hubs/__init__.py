"""An Event Hubs namespace on this machine: an AMQP 1.0 server for the unmodified Azure SDKs.

    async with EventHubsServer(hubs={"requests": 4}) as server:
        EventHubProducerClient.from_connection_string(
            server.connection_string, eventhub_name="requests"
        )

What Azure would refuse, this refuses, with the same error conditions. There is no TLS, no Entra,
no Kafka, no schema registry and no capture. `python -m local.event_hubs --help` runs it alone.
"""

from .broker import Limits
from .errors import Condition
from .faults import Faults
from .partition import Retention
from .server import EventHubsServer

__all__ = ["Condition", "EventHubsServer", "Faults", "Limits", "Retention"]
