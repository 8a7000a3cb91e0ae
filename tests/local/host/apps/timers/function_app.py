"""Timers whose firings and output documents a test can see."""

import json
import os
import time
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()


def note(what: str, **details: object) -> None:
    """Append one line to the file that the test reads."""
    details |= {"what": what, "pid": os.getpid(), "time": time.time()}
    with (Path(os.environ["NOTES"]) / f"{os.getpid()}.jsonl").open("a") as file:
        file.write(json.dumps(details) + "\n")


@app.timer_trigger(arg_name="timer", schedule="%TICK%", run_on_startup=False)
@app.cosmos_db_output(
    arg_name="second", connection="COSMOS", database_name="ptu", container_name="second"
)
@app.cosmos_db_output(
    arg_name="first", connection="COSMOS", database_name="ptu", container_name="first"
)
async def tick(
    timer: func.TimerRequest,
    first: func.Out[func.Document],
    second: func.Out[func.DocumentList],
) -> None:
    number = int(time.time())
    note("tick", number=number, past_due=timer.past_due)
    first.set(func.Document.from_dict({"id": "latest", "pk": "a", "number": number}))
    second.set(
        func.DocumentList(
            [func.Document.from_dict({"id": f"{number}-{n}", "pk": "a"}) for n in range(3)]
        )
    )


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
@app.cosmos_db_output(
    arg_name="document", connection="COSMOS", database_name="ptu", container_name="first"
)
def at_startup(timer: func.TimerRequest, document: func.Out[func.Document]) -> None:
    note("startup", past_due=timer.past_due)
    document.set(func.Document.from_dict({"id": "lost", "pk": "a"}))
    raise ValueError("its output is dropped")
