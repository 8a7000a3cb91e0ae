"""HTTP: enqueue requests, read them back, cancel them."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.composition.application import application

from .http import answers, json_response, read_body

blueprint = func.Blueprint()


@blueprint.function_name("producer")
@blueprint.route(route="producer", methods=[func.HttpMethod.POST])
@answers
async def producer(req: Request) -> Response:
    """`POST /producer`: a JSON array of items, or one item, into the queue."""
    intake = application().intake
    raw = await read_body(req, intake.body_limit)
    accepted = await intake.accept(raw, idempotency_key=req.headers.get("idempotency-key"))
    return json_response(
        {"request_ids": accepted.request_ids, "detail": accepted.detail}, status=202
    )


@blueprint.function_name("response")
@blueprint.route(route="response/{request_id}", methods=[func.HttpMethod.GET])
@answers
async def response(req: Request) -> Response:
    """`GET /response/{request_id}`: where a request is, why it waits, or what came of it."""
    return await _show(req)


@blueprint.function_name("request")
@blueprint.route(route="requests/{request_id}", methods=[func.HttpMethod.GET])
@answers
async def request(req: Request) -> Response:
    """`GET /requests/{request_id}`: the same under its other name."""
    return await _show(req)


@blueprint.function_name("cancel")
@blueprint.route(route="requests/{request_id}/cancel", methods=[func.HttpMethod.POST])
@answers
async def cancel(req: Request) -> Response:
    """`POST /requests/{request_id}/cancel`: cancels if it can, says what happened if not."""
    return json_response(await application().cancellation.cancel(req.path_params["request_id"]))


async def _show(req: Request) -> Response:
    return json_response(await application().status.show(req.path_params["request_id"]))
