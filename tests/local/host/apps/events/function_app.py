"""Event Hub functions that note what they get in files, and behave as an event's body says."""

import asyncio
import json
import os
import signal
import time
import typing
from pathlib import Path

import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def note(what: str, **details: object) -> None:
    """Append one line to the file that the test reads."""
    details |= {"what": what, "pid": os.getpid(), "time": time.time()}
    line = json.dumps(details) + "\n"
    with (Path(os.environ["NOTES"]) / f"{os.getpid()}.jsonl").open("a") as file:
        file.write(line)


def first_time(key: str) -> bool:
    """Whether this is asked for the first time, over all processes."""
    try:
        (Path(os.environ["NOTES"]) / f"{key}.once").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


async def behave(bodies: list[str]) -> None:
    """Do what the bodies ask for: `sleep 0.5`, `fail`, and once per name `fail-once x` etc."""
    for body in bodies:
        word, _, argument = body.partition(" ")
        if word == "sleep":
            await asyncio.sleep(float(argument))
        elif word == "fail" or (word == "fail-once" and first_time(argument)):
            raise ValueError(body)
        elif word == "die-once" and first_time(argument):
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "hang-once" and first_time(argument):
            time.sleep(60)  # noqa: ASYNC251 (a function that blocks the worker is the point)


@app.event_hub_message_trigger(
    arg_name="events",
    event_hub_name="%HUB%",
    connection="EVENT_HUBS",
    cardinality="many",
    consumer_group="$Default",
)
@app.retry(strategy="fixed_delay", max_retry_count="-1", delay_interval="00:00:01")
@app.cosmos_db_output(
    arg_name="documents", connection="COSMOS", database_name="ptu", container_name="records"
)
async def collect(
    events: typing.List[func.EventHubEvent],  # noqa: UP006
    documents: func.Out[func.DocumentList],
    context: func.Context,
) -> None:
    bodies = [event.get_body().decode() for event in events]
    metadata = events[0].metadata or {}
    note(
        "collect",
        bodies=bodies,
        partition=metadata["PartitionContext"]["PartitionId"],
        sequence_numbers=[event.sequence_number for event in events],
        retry=context.retry_context.retry_count,
    )
    await behave(bodies)
    note("collected", bodies=bodies)
    written = [body.partition(" ")[2] for body in bodies if body.startswith("write ")]
    if written:
        documents.set(func.DocumentList([func.Document.from_dict({"id": w}) for w in written]))


@app.event_hub_message_trigger(
    arg_name="events", event_hub_name="plain", connection="EVENT_HUBS", cardinality="many"
)
async def without_retries(events: typing.List[func.EventHubEvent]) -> None:  # noqa: UP006
    bodies = [event.get_body().decode() for event in events]
    note("plain", bodies=bodies)
    await behave(bodies)
    note("plain ended", bodies=bodies)


@app.event_hub_message_trigger(
    arg_name="event", event_hub_name="single", connection="EVENT_HUBS", data_type="binary"
)
def one_by_one(event: func.EventHubEvent) -> None:
    metadata = event.metadata or {}
    note(
        "single",
        body=event.get_body().hex(),
        sequence_number=event.sequence_number,
        partition_key=event.partition_key,
        offset=event.offset,
        enqueued=str(event.enqueued_time),
        properties=metadata["Properties"],
        partition=metadata["PartitionContext"],
    )


@app.route(route="where", methods=["GET"])
async def where(req: Request) -> JSONResponse:
    return JSONResponse({"pid": os.getpid()})
