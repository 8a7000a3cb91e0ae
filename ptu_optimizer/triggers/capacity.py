"""The gauge's timer: what Azure Monitor tells of each minute, written as records of the minute."""

import azure.functions as func

from ptu_optimizer.bootstrap import application
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.requests.minutes import MINUTE_TTL_SECONDS
from ptu_optimizer.telemetry import logger

_log = logger("gauge")

blueprint = func.Blueprint()


@blueprint.function_name("gauge")
@blueprint.timer_trigger(
    arg_name="timer", schedule="%GAUGE_SCHEDULE%", run_on_startup=False, use_monitor=False
)
@blueprint.cosmos_db_output(
    arg_name="minutes",
    connection="COSMOS",
    database_name="%COSMOS_DATABASE%",
    container_name="capacity",
)
async def gauge(timer: func.TimerRequest, minutes: func.Out[func.DocumentList]) -> None:
    """Read the metrics; without a point there is no minute, never one of zeros."""
    try:
        fresh = await application().minutes.fresh()
    except DependencyUnavailable as error:
        _log.warning("the metric cannot be read", extra={"reason": str(error)})
        return
    if fresh:
        records = [minute.record(ttl_seconds=MINUTE_TTL_SECONDS) for minute in fresh]
        minutes.set(func.DocumentList([func.Document.from_dict(record) for record in records]))
