"""HTTP: enqueue requests, read them back, cancel them."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.composition.application import application
from ptu_optimizer.requests.intake.intake import too_large

from .http import answering, json_response, read_body

blueprint = func.Blueprint()


@blueprint.function_name("producer")
@blueprint.route(route="producer", methods=[func.HttpMethod.POST])
async def producer(req: Request) -> Response:
    """`POST /producer`: a JSON array of items, or one item, into the queue."""

    async def accept() -> Response:
        intake = application().intake
        limit = intake.max_body_bytes
        raw = await read_body(req, limit=limit, too_large=too_large(limit))
        accepted = await intake.accept(raw, idempotency_key=req.headers.get("idempotency-key"))
        return json_response(
            {"request_ids": accepted.request_ids, "detail": accepted.detail}, status=202
        )

    return await answering(accept)


@blueprint.function_name("response")
@blueprint.route(route="response/{request_id}", methods=[func.HttpMethod.GET])
async def response(req: Request) -> Response:
    """`GET /response/{request_id}`: where a request is, why it waits, or what came of it."""
    return await _show(req)


@blueprint.function_name("request")
@blueprint.route(route="requests/{request_id}", methods=[func.HttpMethod.GET])
async def request(req: Request) -> Response:
    """`GET /requests/{request_id}`: the same under its other name."""
    return await _show(req)


@blueprint.function_name("cancel")
@blueprint.route(route="requests/{request_id}/cancel", methods=[func.HttpMethod.POST])
async def cancel(req: Request) -> Response:
    """`POST /requests/{request_id}/cancel`: cancels if it can, says what happened if not."""

    async def cancelled() -> Response:
        return json_response(await application().status.cancel(req.path_params["request_id"]))

    return await answering(cancelled)


async def _show(req: Request) -> Response:
    async def shown() -> Response:
        return json_response(await application().status.show(req.path_params["request_id"]))

    return await answering(shown)
