"""Event Hub triggers: one dispatcher behind the three hubs.

The retry policy is unlimited: the trigger checkpoints a batch also when its function failed, so an
exception must bring the batch again (docs/platform.md, "The Event Hubs trigger"). Output bindings
are written one by one after the function returned, in this order: what was deferred, what was put
aside, how far was read.
"""

from typing import Any, List

import azure.functions as func

from ptu_optimizer.composition.application import application
from ptu_optimizer.ports.hubs import REQUESTS, REQUESTS_LATER, REQUESTS_SOON
from ptu_optimizer.requests.dispatch.invocation import Report

from .deliveries import delivery

blueprint = func.Blueprint()

RETRY_DELAY = "00:00:05"


def _dispatches(hub: str) -> Any:
    """The decorators of a dispatch function: they differ in the hub only."""

    def decorate(function: Any) -> Any:
        for decorator in (
            blueprint.cosmos_db_output(arg_name="annotations", **_container("requests")),
            blueprint.cosmos_db_output(arg_name="deadletters", **_container("dead_letters")),
            blueprint.cosmos_db_output(arg_name="positions", **_container("groups")),
            blueprint.retry(
                strategy="fixed_delay", max_retry_count="-1", delay_interval=RETRY_DELAY
            ),
            blueprint.event_hub_message_trigger(
                arg_name="events",
                connection="EVENT_HUBS",
                event_hub_name=hub,
                cardinality=func.Cardinality.MANY,
                # as text, an event that is not UTF-8 would be mangled before we see it
                data_type=func.DataType.BINARY,
                consumer_group="$Default",
            ),
        ):
            function = decorator(function)
        return function

    return decorate


def _container(name: str) -> dict[str, Any]:
    return {
        "connection": "COSMOS",
        "database_name": "%COSMOS_DATABASE%",
        "container_name": name,
    }


@blueprint.function_name("dispatch_requests")
@_dispatches(REQUESTS)
async def dispatch_requests(
    events: List[func.EventHubEvent],
    annotations: func.Out[func.DocumentList],
    deadletters: func.Out[func.DocumentList],
    positions: func.Out[func.DocumentList],
) -> None:
    """The bulk of the work."""
    _write(await _dispatch(REQUESTS, events), annotations, deadletters, positions)


@blueprint.function_name("dispatch_requests_soon")
@_dispatches(REQUESTS_SOON)
async def dispatch_requests_soon(
    events: List[func.EventHubEvent],
    annotations: func.Out[func.DocumentList],
    deadletters: func.Out[func.DocumentList],
    positions: func.Out[func.DocumentList],
) -> None:
    """What must overtake the bulk."""
    _write(await _dispatch(REQUESTS_SOON, events), annotations, deadletters, positions)


@blueprint.function_name("dispatch_requests_later")
@_dispatches(REQUESTS_LATER)
async def dispatch_requests_later(
    events: List[func.EventHubEvent],
    annotations: func.Out[func.DocumentList],
    deadletters: func.Out[func.DocumentList],
    positions: func.Out[func.DocumentList],
) -> None:
    """What was re-scheduled."""
    _write(await _dispatch(REQUESTS_LATER, events), annotations, deadletters, positions)


async def _dispatch(hub: str, events: List[func.EventHubEvent]) -> Report:
    return await application().dispatcher.dispatch(delivery(hub, events))


def _write(
    report: Report,
    annotations: func.Out[func.DocumentList],
    deadletters: func.Out[func.DocumentList],
    positions: func.Out[func.DocumentList],
) -> None:
    for out, records in (
        (annotations, report.annotations),
        (deadletters, report.dead_letters),
        (positions, report.positions),
    ):
        if records:
            out.set(func.DocumentList([func.Document.from_dict(record) for record in records]))
