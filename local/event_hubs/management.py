"""The `$management` node: properties of hubs and partitions.

The clients of .NET and JavaScript put no token for the hub on `$cbs` before they ask. They send it
in the request, as the application property `security_token`; azure-eventhub does both.
Sources: `_client_base.py` of azure-eventhub 5.15 for the names and types of the answers;
`AmqpClient.cs` of Azure.Messaging.EventHubs 5.12 and `managementClient.ts` of @azure/event-hubs 6.0
for the token.
"""

from __future__ import annotations

from typing import Any

from .codec import Array, Int, Timestamp
from .errors import AmqpError
from .hub import Hub, Hubs
from .messages import Reply, Request
from .tokens import Authorizations, InvalidToken

NODE = "$management"

_HUB_TYPE = "com.microsoft:eventhub"
_PARTITION_TYPE = "com.microsoft:partition"


def answer(request: Request, hubs: Hubs, authorizations: Authorizations) -> Reply:
    """Answer a management request."""
    operation = request.properties.get("operation")
    kind = request.properties.get("type")
    name = str(request.properties.get("name", ""))
    if operation != "READ" or kind not in (_HUB_TYPE, _PARTITION_TYPE):
        return Reply(501, f"The operation '{operation}' on '{kind}' is not supported.")
    refusal = _refusal(request, name, authorizations)
    if refusal is not None:
        return Reply(401, refusal)
    hub = hubs.find(name)
    if hub is None:
        return Reply(404, f"The messaging entity 'sb://{name.lower()}' could not be found.")
    if kind == _HUB_TYPE:
        return Reply(200, "OK", _hub_properties(hub))
    try:
        return Reply(200, "OK", _partition_properties(hub, str(request.properties["partition"])))
    except KeyError:
        return Reply(400, "The request names no partition.")
    except AmqpError as error:
        return Reply(400, error.description)


def _refusal(request: Request, name: str, authorizations: Authorizations) -> str | None:
    """Why the request is not allowed, or None."""
    token = request.properties.get("security_token")
    if token is None:
        if authorizations.allows(name):
            return None
        return "Unauthorized access. 'Manage,EventHubRead' claim(s) are required."
    try:
        # a token for the hub, or for its node: that is the audience of JavaScript's links to it
        if authorizations.covers(str(token), name, f"{name}/{NODE}"):
            return None
    except InvalidToken as error:
        return str(error)
    return "InvalidAudience: The security token does not cover the hub."


def _hub_properties(hub: Hub) -> dict[str, Any]:
    return {
        "name": hub.name,
        "type": _HUB_TYPE,
        "created_at": Timestamp(hub.created_ms),
        "partition_count": Int(len(hub.partitions)),
        "partition_ids": Array(hub.partitions),  # .NET takes no list here
    }


def _partition_properties(hub: Hub, partition_id: str) -> dict[str, Any]:
    properties = hub.partition(partition_id).properties()
    return {
        "name": hub.name,
        "type": _PARTITION_TYPE,
        "partition": partition_id,
        "begin_sequence_number": properties.first_sequence,
        "last_enqueued_sequence_number": properties.last_sequence,
        "last_enqueued_offset": str(properties.last_offset),
        "last_enqueued_time_utc": Timestamp(properties.last_enqueued_ms),
        "is_partition_empty": properties.is_empty,
    }
