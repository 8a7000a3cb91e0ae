"""The gauge's timer: Azure Monitor's newest points, written as readings."""

import azure.functions as func

from ptu_optimizer.bootstrap import application
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.requests.exchange import READING_TTL_SECONDS
from ptu_optimizer.telemetry import logger

_log = logger("gauge")

blueprint = func.Blueprint()


@blueprint.function_name("gauge")
@blueprint.timer_trigger(
    arg_name="timer", schedule="%GAUGE_SCHEDULE%", run_on_startup=False, use_monitor=False
)
@blueprint.cosmos_db_output(
    arg_name="readings",
    connection="COSMOS",
    database_name="%COSMOS_DATABASE%",
    container_name="capacity",
)
async def gauge(timer: func.TimerRequest, readings: func.Out[func.DocumentList]) -> None:
    """Read the utilization metric; without a point there is no reading, never one of 0 %."""
    try:
        found = await application().monitor.utilization()
    except DependencyUnavailable as error:
        _log.warning("the metric cannot be read", extra={"reason": str(error)})
        return
    if found:
        readings.set(
            func.DocumentList(
                [
                    func.Document.from_dict(
                        reading.record(
                            record_id="reading:azure-monitor", ttl_seconds=READING_TTL_SECONDS
                        )
                    )
                    for reading in found
                ]
            )
        )
