"""``POST …/chat/completions`` over HTTP, for both of Azure OpenAI's path styles."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from uuid import uuid4

from aiohttp import web

from local.ptu import errors
from local.ptu.access import Access
from local.ptu.calls import Admitted, Refused
from local.ptu.chat_body import ChatBody, parse_chat_body
from local.ptu.chat_call import CLIENT_REQUEST_ID, ChatCall, read_chat_call, too_long
from local.ptu.completions import Chunks, completion
from local.ptu.deployment import Deployment
from local.ptu.errors import ApiError
from local.ptu.faults import Fault
from local.ptu.payg_deployment import PaygDeployment
from local.ptu.ptu_deployment import PtuDeployment
from local.ptu.simulation import Simulation
from local.ptu.streaming import sleep_until, write_text

__all__ = ["ChatApi"]

SPILLOVER_DEPLOYMENT = "x-ms-spillover-deployment"
SPILLS_OVER = frozenset({429, 500, 503})
"""Statuses of a provisioned deployment that spill over, besides 400 for a long prompt."""
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|preview|latest|v1")


class Dropped(Exception):
    """A fault asks for the connection to be closed without an answer."""


class ChatApi:
    """``clock`` gives the seconds that the simulation runs on."""

    def __init__(
        self, simulation: Simulation, *, access: Access, clock: Callable[[], float]
    ) -> None:
        self._simulation = simulation
        self._access = access
        self._clock = clock

    async def by_deployment(self, request: web.Request) -> web.StreamResponse:
        """``/openai/deployments/{deployment}/chat/completions?api-version=…``"""
        return await self._answer(request, request.match_info["deployment"])

    async def by_model(self, request: web.Request) -> web.StreamResponse:
        """``/openai/v1/chat/completions``: the body's ``model`` names the deployment."""
        return await self._answer(request, None)

    async def _answer(self, request: web.Request, name: str | None) -> web.StreamResponse:
        headers = {
            "apim-request-id": str(uuid4()),
            "x-ms-region": self._simulation.config.region,
        }
        echoed = request.headers.get(CLIENT_REQUEST_ID)
        if echoed is not None:
            headers[CLIENT_REQUEST_ID] = echoed
        try:
            self._access.check(request.headers)
            return await self._serve(request, name, headers)
        except ApiError as error:
            headers.update(error.headers)
            headers["Content-Type"] = "application/json"
            return web.Response(status=error.status, body=error.body, headers=headers)
        except Dropped:
            return _drop(request)

    async def _serve(
        self, request: web.Request, name: str | None, headers: dict[str, str]
    ) -> web.StreamResponse:
        simulation = self._simulation
        api_version = request.query.get("api-version", "" if name else "v1")
        if not _API_VERSION.fullmatch(api_version):
            raise errors.resource_not_found()
        if name is not None and name not in simulation.deployments:
            raise errors.deployment_not_found()
        body = parse_chat_body(await request.read())
        if name is None:
            name = _model(body)
        deployment = simulation.deployments.get(name)
        if deployment is None:
            raise errors.deployment_not_found()
        call = read_chat_call(
            request.headers,
            body,
            simulation.settings[name],
            seed=simulation.config.seed,
            prompt_cache=simulation.prompt_cache,
            now=self._clock(),
        )
        headers["x-ms-deployment-name"] = name
        fault = simulation.faults.take(deployment=name, traffic=call.traffic)
        if fault is not None and (fault.status is not None or fault.drop == "before"):
            await asyncio.sleep(fault.delay_seconds)
        if fault is not None and fault.drop == "before":
            deployment.fail(now=self._clock(), status=500, traffic=call.traffic)
            raise Dropped
        now = self._clock()
        admitted = self._admit(deployment, call, fault, api_version, headers, now)
        if isinstance(admitted, ApiError):
            deployment, admitted = self._spill(request, deployment, call, admitted, headers, now)
        if fault is not None and fault.held is not None:
            await fault.held.wait()
        if call.body.stream:
            return await self._stream(request, deployment, admitted, call, fault, headers)
        return await self._whole(request, deployment, admitted, call, fault, headers)

    def _admit(
        self,
        deployment: Deployment,
        call: ChatCall,
        fault: Fault | None,
        api_version: str,
        headers: dict[str, str],
        now: float,
    ) -> Admitted | ApiError:
        """The call in flight, or the error that the deployment answers."""
        error = too_long(call, self._simulation.settings[deployment.name])
        if fault is not None and fault.status is not None:
            error = errors.injected(
                fault.status, code=fault.code, retry_after_ms=fault.retry_after_ms
            )
        if error is not None:
            deployment.fail(now=now, status=error.status, traffic=call.traffic)
            return error
        verdict = call.arrive(deployment, now=now)
        if isinstance(verdict, Refused):
            self._describe_load(deployment, headers)
            return errors.rate_limited(
                verdict.retry_after_ms,
                api_version=api_version,
                provisioned=isinstance(deployment, PtuDeployment),
            )
        return verdict

    def _spill(
        self,
        request: web.Request,
        origin: Deployment,
        call: ChatCall,
        error: ApiError,
        headers: dict[str, str],
        now: float,
    ) -> tuple[Deployment, Admitted]:
        """Have pay-as-you-go serve what the deployment did not, or raise its error."""
        target = self._simulation.spillover_of(
            origin.name, request.headers.get(SPILLOVER_DEPLOYMENT)
        )
        too_long_here = b"context_length_exceeded" in error.body
        if target is None or not (error.status in SPILLS_OVER or too_long_here):
            raise error
        verdict = call.arrive(target, now=now, spillover=True)
        if isinstance(verdict, Refused):
            error.headers["x-ms-spillover-error"] = "429"
            raise error
        origin.spilled(now=now, status=error.status, traffic=call.traffic)
        headers.pop("azure-openai-deployment-utilization", None)
        headers["x-ms-spillover-from-deployment"] = origin.name
        headers["x-ms-deployment-name"] = target.name
        return target, verdict

    async def _whole(
        self,
        request: web.Request,
        deployment: Deployment,
        admitted: Admitted,
        call: ChatCall,
        fault: Fault | None,
        headers: dict[str, str],
    ) -> web.Response:
        seconds = deployment.timing(admitted, output_tokens=call.output_tokens).total
        if fault is not None:
            seconds += fault.delay_seconds
        if seconds > 0:
            await asyncio.sleep(seconds)
        now = self._complete(request, deployment, admitted, call)
        if fault is not None and fault.drop == "after":
            raise Dropped
        self._describe_load(deployment, headers)
        headers["Content-Type"] = "application/json"
        return web.Response(body=completion(call, model=deployment.model, now=now), headers=headers)

    async def _stream(
        self,
        request: web.Request,
        deployment: Deployment,
        admitted: Admitted,
        call: ChatCall,
        fault: Fault | None,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        timing = deployment.timing(admitted, output_tokens=call.output_tokens)
        begun = loop.time() + (fault.delay_seconds if fault is not None else 0.0)
        dropped = fault is not None and fault.drop == "after"
        await sleep_until(begun + timing.first_token)
        self._describe_load(deployment, headers)
        headers["Content-Type"] = "text/event-stream; charset=utf-8"
        response = web.StreamResponse(headers=headers)
        chunks = Chunks(call, model=deployment.model, now=self._clock())
        try:
            if not dropped:
                await response.prepare(request)
                await response.write(chunks.first())
                await write_text(response, chunks, call, timing, begun)
        except ConnectionError:
            # The client has gone. Azure finishes the answer and bills it all the same.
            dropped = True
        await sleep_until(begun + timing.total)
        self._complete(request, deployment, admitted, call, abandoned=dropped)
        if dropped:
            raise Dropped
        try:
            await response.write(chunks.last())
            await response.write_eof()
        except ConnectionError as error:
            raise Dropped from error
        return response

    def _complete(
        self,
        request: web.Request,
        deployment: Deployment,
        admitted: Admitted,
        call: ChatCall,
        *,
        abandoned: bool = False,
    ) -> float:
        now = self._clock()
        transport = request.transport
        gone = abandoned or transport is None or transport.is_closing()
        deployment.complete(admitted, now=now, output_tokens=call.output_tokens, abandoned=gone)
        return now

    def _describe_load(self, deployment: Deployment, headers: dict[str, str]) -> None:
        """Headers about how full the deployment is, as of now."""
        now = self._clock()
        if isinstance(deployment, PtuDeployment):
            if self._simulation.config.utilization_header:
                level = deployment.level(now)
                headers["azure-openai-deployment-utilization"] = f"{level * 100:.1f}%"
        elif isinstance(deployment, PaygDeployment):
            tokens, requests = deployment.remaining(now)
            if tokens is not None:
                headers["x-ratelimit-limit-tokens"] = f"{deployment.tpm:.0f}"
                headers["x-ratelimit-remaining-tokens"] = str(tokens)
            if requests is not None:
                headers["x-ratelimit-limit-requests"] = f"{deployment.rpm:.0f}"
                headers["x-ratelimit-remaining-requests"] = str(requests)


def _drop(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        transport.abort()
    return web.Response(status=500)


def _model(body: ChatBody) -> str:
    model = body.values.get("model")
    if not isinstance(model, str):
        raise errors.invalid(
            "Missing required parameter: 'model'.",
            param="model",
            code="missing_required_parameter",
        )
    return model
