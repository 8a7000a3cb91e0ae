"""Event Hub events as trigger data, shaped exactly as the host sends them to a Python worker.

Sources: EHX `Triggers/EventHubTriggerBindingStrategy.cs` for the metadata, azure-functions-host
`GrpcMessageConversionExtensions.cs` for their types. Three oddities are kept on purpose, since they
are what the app meets in Azure: `PartitionKeyArray` lacks the events without a key, so that its
positions are not those of the events; times carry no zone, though they are UTC; and a body that is
not UTF-8 is mangled unless the trigger has `data_type="binary"`.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from azure.eventhub import EventData

from local.host.bindings import EventHubTrigger
from local.host.invoker import TriggerInput

Metadata = dict[str, tuple[str, Any]]


def batch_input(
    function: str,
    trigger: EventHubTrigger,
    events: Sequence[EventData],
    partition: Mapping[str, str],
) -> TriggerInput:
    """The input of a function with cardinality many."""
    systems = [_system_properties(event) for event in events]
    metadata: Metadata = {
        "PartitionKeyArray": (
            "collection_string",
            [key for system in systems if (key := system["PartitionKey"])],
        ),
        "OffsetArray": ("collection_string", [system["Offset"] for system in systems]),
        "SequenceNumberArray": (
            "collection_sint64",
            [system["SequenceNumber"] for system in systems],
        ),
        "EnqueuedTimeUtcArray": ("json", _json([system["EnqueuedTimeUtc"] for system in systems])),
        "PropertiesArray": ("json", _json([_properties(event) for event in events])),
        "SystemPropertiesArray": ("json", _json(systems)),
        **_common(function, partition),
    }
    return TriggerInput(
        data_type="collection_bytes" if trigger.binary else "collection_string",
        data=[event_body(event) for event in events],
        metadata=metadata,
    )


def single_input(
    function: str, trigger: EventHubTrigger, event: EventData, partition: Mapping[str, str]
) -> TriggerInput:
    """The input of a function with cardinality one."""
    system = _system_properties(event)
    metadata: Metadata = {
        "Offset": ("string", system["Offset"]),
        "SequenceNumber": ("json", str(system["SequenceNumber"])),
        "EnqueuedTimeUtc": ("json", _json(system["EnqueuedTimeUtc"])),
        "Properties": ("json", _json(_properties(event))),
        "SystemProperties": ("json", _json(system)),
        **_common(function, partition),
    }
    if system["PartitionKey"]:
        metadata["PartitionKey"] = ("string", system["PartitionKey"])
    return TriggerInput(
        data_type="bytes" if trigger.binary else "string",
        data=[event_body(event)],
        metadata=metadata,
    )


def event_body(event: EventData) -> bytes:
    """The body, whatever AMQP section it came in; sequences and values travel as JSON."""
    body: Any = event.body
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    pieces = list(body)
    if all(isinstance(piece, bytes) for piece in pieces):
        return b"".join(pieces)
    return orjson.dumps(pieces, default=_plain)


def _common(function: str, partition: Mapping[str, str]) -> Metadata:
    sys = {
        "MethodName": function,
        "UtcNow": _time(datetime.now(UTC)),
        "RandGuid": str(uuid.uuid4()),
    }
    return {"PartitionContext": ("json", _json(dict(partition))), "sys": ("json", _json(sys))}


def _system_properties(event: EventData) -> dict[str, Any]:
    known = {_text(key): value for key, value in event.system_properties.items()}
    enqueued = event.enqueued_time
    if "x-opt-enqueued-time" in known and enqueued is not None:
        known["x-opt-enqueued-time"] = f"{_time(enqueued)}+00:00"
    key = event.partition_key
    return {
        **known,
        "SequenceNumber": event.sequence_number,
        "Offset": _text(event.offset),
        "PartitionKey": _text(key) if key is not None else None,
        "EnqueuedTimeUtc": _time(enqueued) if enqueued is not None else None,
    }


def _properties(event: EventData) -> dict[str, Any]:
    return {_text(key): value for key, value in (event.properties or {}).items()}


def _time(moment: datetime) -> str:
    """As Newtonsoft writes a .NET DateTime of unspecified kind: no zone."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _json(value: Any) -> str:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return str(value)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
