"""Health, and the sweep's timer."""

import sys

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.composition.application import application
from ptu_optimizer.errors import DependencyUnavailable
from ptu_optimizer.requests.id_keys import KeyState
from ptu_optimizer.telemetry import logger

from .http import answers, json_response

_log = logger("sweep")

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Shown, since an app that was built for another version than it runs on finds no packages."""

blueprint = func.Blueprint()


@blueprint.function_name("health")
@blueprint.route(route="health", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.ANONYMOUS)
@answers
async def health(req: Request) -> Response:
    """`GET /health`: alive, with settings that are usable; with `?ready=1` also whether each
    dependency answers, and what is known of the key of request ids."""
    app = application()
    if req.query_params.get("ready") not in {"1", "true"}:
        return json_response({"status": "ok", "python": PYTHON})
    key = app.health.request_id_key
    ready = {
        **await app.health.ready(),
        # a key that nobody has needed yet is no reason to keep calls away: the first one reads
        "request_id_key": key is not KeyState.UNREADABLE,
    }
    ok = all(ready.values())
    return json_response(
        {"status": "ok" if ok else "not_ready", "ready": ready, "request_id_key": key.value},
        status=200 if ok else 503,
    )


@blueprint.function_name("sweep")
@blueprint.timer_trigger(
    arg_name="timer", schedule="%SWEEP_SCHEDULE%", run_on_startup=False, use_monitor=False
)
@blueprint.cosmos_db_output(
    arg_name="closings",
    connection="COSMOS",
    database_name="%COSMOS_DATABASE%",
    container_name="groups",
)
async def sweep(timer: func.TimerRequest, closings: func.Out[func.DocumentList]) -> None:
    """Publish again what lost its event, expire what is late, close what is complete."""
    try:
        report = await application().sweep.run()
    except DependencyUnavailable as error:
        _log.warning("the sweep was cut short", extra={"reason": str(error)})
        return
    _log.info(
        "swept",
        extra={
            "published": report.published,
            "expired": report.expired,
            "closed": len(report.closings),
            "looked_at": report.looked_at,
        },
    )
    if report.closings:
        closings.set(
            func.DocumentList([func.Document.from_dict(record) for record in report.closings])
        )
