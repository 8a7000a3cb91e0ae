"""Chat completions of Azure OpenAI: one call, no retries, bounded in total time."""

from __future__ import annotations

from urllib.parse import quote

import orjson

from ptu_optimizer.ports.backend_calls import Authorization, BackendCall, BackendCalls, NoAnswer
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import CallResult, Transient

from .answers import result_of

V1 = "v1"
"""In place of a dated version: the API whose path has none. The body's `model` names the
deployment (Microsoft, "Azure OpenAI v1 API")."""

CALL_ID_HEADER = "x-ms-client-request-id"
"""Azure's correlation header: it shows in the resource's logs which attempt a call was."""


class ChatCompletions:
    """`ModelCaller` for the deployments of one resource."""

    def __init__(
        self,
        *,
        calls: BackendCalls,
        endpoint: str,
        api_version: str,
        authorization: Authorization,
    ) -> None:
        """`api_version`: a dated one, or `v1`."""
        self._calls = calls
        self._base = f"{endpoint.rstrip('/')}/openai"
        self._api_version = api_version
        self._authorization = authorization

    async def complete(
        self, *, deployment: str, body: JsonObject, call_id: str, timeout_seconds: float
    ) -> CallResult:
        call = BackendCall(
            method="POST",
            url=self._url(deployment),
            headers={
                "Accept": "application/json",
                # to decompress a few kilobytes costs more than to receive them
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                CALL_ID_HEADER: call_id,
            },
            body=orjson.dumps({**body, "model": deployment}),
            authorization=self._authorization,
            timeout_seconds=timeout_seconds,
        )
        try:
            async with self._calls.send(call) as response:
                content = await response.read()
        except NoAnswer as error:
            return Transient(why=error.why)
        return result_of(status=response.status, headers=response.headers, body=content)

    def _url(self, deployment: str) -> str:
        if self._api_version == V1:
            return f"{self._base}/v1/chat/completions"
        name, version = quote(deployment, safe=""), quote(self._api_version, safe="")
        return f"{self._base}/deployments/{name}/chat/completions?api-version={version}"
