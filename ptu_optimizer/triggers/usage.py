"""The Event Hub trigger for usage events of interactive gateways.

The retry policy is short. What an event says never fails the function; what can fail is its worker,
or the output binding behind it. Two more tries bring over a moment's throttling of the store, and a
batch that comes again gives the same records. More would hold the partition, and what waits there
is worth nothing after some minutes: then losing the batch is better.
"""

from typing import List

import azure.functions as func

from ptu_optimizer.composition.application import application
from ptu_optimizer.ports.hubs import USAGE

from .deliveries import delivery

blueprint = func.Blueprint()


@blueprint.function_name("usage")
@blueprint.cosmos_db_output(
    arg_name="windows",
    connection="COSMOS",
    database_name="%COSMOS_DATABASE%",
    container_name="capacity",
)
@blueprint.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:01")
@blueprint.event_hub_message_trigger(
    arg_name="events",
    connection="EVENT_HUBS",
    event_hub_name=USAGE,
    cardinality=func.Cardinality.MANY,
    # as text, an event that is not UTF-8 would be mangled before we see it
    data_type=func.DataType.BINARY,
    consumer_group="$Default",
)
async def usage(events: List[func.EventHubEvent], windows: func.Out[func.DocumentList]) -> None:
    """Sum up what the gateways' calls have done to the deployments."""
    records = application().usage_feed.take(delivery(USAGE, events))
    if records:
        windows.set(func.DocumentList([func.Document.from_dict(record) for record in records]))
