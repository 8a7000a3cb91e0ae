"""HTTP: Azure Monitor's alerts come in."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.composition.application import application
from ptu_optimizer.feeds.alerts import BODY_LIMIT

from .http import answers, json_response, read_body


def alerts_blueprint(*, by_key: bool) -> func.Blueprint:
    """With `by_key` the host asks for the function key. Without, it lets everybody through to the
    app's own check: a secure webhook cannot add a key to its address."""
    blueprint = func.Blueprint()

    @blueprint.function_name("capacity_alert")
    @blueprint.route(
        route="capacity/alert",
        methods=[func.HttpMethod.POST],
        auth_level=func.AuthLevel.FUNCTION if by_key else func.AuthLevel.ANONYMOUS,
    )
    @answers
    async def capacity_alert(req: Request) -> Response:
        """`POST /capacity/alert`: a fired or resolved alert in the common alert schema."""
        await application().alert_callers.check(req.headers)
        raw = await read_body(req, BODY_LIMIT)
        return json_response(await application().alerts.take(raw))

    return blueprint
