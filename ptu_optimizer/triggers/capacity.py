"""The gauge: its timer, which writes each minute of Azure Monitor, and `GET /capacity`."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.composition.application import application
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.feeds.metric_minutes import MINUTE_TTL_SECONDS
from ptu_optimizer.telemetry import logger

from .http import answers, json_response

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


@blueprint.function_name("capacity")
@blueprint.route(route="capacity", methods=[func.HttpMethod.GET])
@answers
async def capacity(req: Request) -> Response:
    """`GET /capacity`: every configured deployment."""
    return json_response(await application().capacity_view.all())


@blueprint.function_name("capacity_deployment")
@blueprint.route(route="capacity/{deployment}", methods=[func.HttpMethod.GET])
@answers
async def capacity_deployment(req: Request) -> Response:
    """`GET /capacity/{deployment}`: the belief, what it rests on, and what would change it."""
    return json_response(await application().capacity_view.one(req.path_params["deployment"]))
