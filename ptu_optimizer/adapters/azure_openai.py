"""Calls to Azure OpenAI through its SDK: no retries of its own, bounded in total time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import httpx2
import openai
import orjson
from azure.core.exceptions import AzureError
from openai import AsyncAzureOpenAI

from ptu_optimizer.requests.model import JsonObject
from ptu_optimizer.requests.ports import (
    CallResult,
    Rejected,
    Success,
    Throttled,
    Transient,
    Usage,
)

from .identity import Identity

CHAT_COMPLETIONS = "/chat/completions"
UTILIZATION_HEADER = "azure-openai-deployment-utilization"
"""A percent string such as "11.2%"; undocumented and not promised: a hint (docs/platform.md,
"Provisioned deployments")."""

SERVED_BY_HEADER = "x-ms-deployment-name"
SPILLED_FROM_HEADER = "x-ms-spillover-from-deployment"
"""Names the provisioned deployment. Microsoft's page also writes it once as
`x-ms-spillover-from-<deployment-name>` (docs/platform.md, "Pay-as-you-go and spillover"): both are
read."""

TOKENS_LEFT_HEADER = "x-ratelimit-remaining-tokens"
"""Of a pay-as-you-go deployment. What a provisioned one means by it is not documented."""

CALL_ID_HEADER = "x-ms-client-request-id"
"""Azure's correlation header: it shows in the resource's logs which attempt a call was."""

DEFAULT_RETRY_AFTER_SECONDS = 1.0
LONGEST_RETRY_AFTER_SECONDS = 3_600.0
"""A PTU deployment drains in seconds. What says more is a time of day in the wrong header, or some
proxy; believed, it would close the gate until the process ends."""

_TRANSIENT = frozenset({408, 409, 425})


def openai_client(
    *, endpoint: str, api_key: str | None, api_version: str, identity: Identity, connections: int
) -> AsyncAzureOpenAI:
    """One client per process; with a key, else with the app's Entra identity."""
    return AsyncAzureOpenAI(
        azure_endpoint=endpoint,
        api_version=api_version,
        api_key=api_key,
        azure_ad_token_provider=None if api_key is not None else identity.token,
        max_retries=0,
        http_client=httpx2.AsyncClient(
            limits=httpx2.Limits(
                max_connections=connections, max_keepalive_connections=connections
            ),
            # the total is bounded by the lease; this only ends a connection that cannot be made
            timeout=httpx2.Timeout(None, connect=10.0),
        ),
    )


class AzureOpenAICaller:
    def __init__(self, client: AsyncAzureOpenAI) -> None:
        self._client = client

    async def complete(
        self, *, deployment: str, body: JsonObject, call_id: str, timeout_seconds: float
    ) -> CallResult:
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._client.post(
                    CHAT_COMPLETIONS,
                    # the SDK makes the deployment's route of `model`
                    body={**body, "model": deployment},
                    cast_to=httpx2.Response,
                    options={"headers": {CALL_ID_HEADER: call_id}, "timeout": timeout_seconds},
                )
                return _success(response)
        except openai.APIStatusError as error:
            return _refusal(error)
        except (TimeoutError, openai.APITimeoutError):
            return Transient(why=f"no answer within {timeout_seconds:.0f} s")
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            return Transient(why=f"no connection ({type(error.__cause__ or error).__name__})")
        except AzureError as error:
            return Transient(why=f"no token for the app's identity ({type(error).__name__})")
        except ValueError:
            return Transient(why="the answer was no JSON object")


def _success(response: httpx2.Response) -> Success:
    """Raises ValueError."""
    content: JsonObject = orjson.loads(response.content)
    if not isinstance(content, dict):
        raise ValueError("not an object")
    usage = content.get("usage")
    return Success(
        status=response.status_code,
        **_told(response.headers),
        response=content,
        usage=None if not isinstance(usage, dict) else _usage(usage),
    )


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=usage.get("prompt_tokens") or 0,
        completion_tokens=usage.get("completion_tokens") or 0,
        cached_tokens=details.get("cached_tokens") or 0,
    )


def _refusal(error: openai.APIStatusError) -> CallResult:
    headers = error.response.headers
    common: dict[str, Any] = {"status": error.status_code, **_told(headers)}
    if error.status_code == 429:
        return Throttled(retry_after_seconds=retry_after_of(headers), **common)
    details = _error_of(error)
    if error.status_code in _TRANSIENT or error.status_code >= 500:
        return Transient(
            why=f"the deployment answered {error.status_code}", error=details, **common
        )
    return Rejected(error=details, **common)


def _error_of(error: openai.APIStatusError) -> dict[str, Any]:
    """The service's own error, in OpenAI's shape. The SDK unwraps `error` where it is there."""
    if isinstance(error.body, dict):
        return dict(error.body)
    return {
        "message": str(error.body or error.message),
        "type": "upstream_error",
        "param": None,
        "code": str(error.status_code),
    }


def _told(headers: Mapping[str, str]) -> dict[str, Any]:
    """What the headers of any response may tell."""
    return {
        "utilization": utilization_of(headers),
        "service_request_id": headers.get("apim-request-id"),
        "served_by": headers.get(SERVED_BY_HEADER),
        "spilled_from": spilled_from(headers),
        "tokens_left": _tokens_left(headers),
    }


def spilled_from(headers: Mapping[str, str]) -> str | None:
    """The provisioned deployment that Azure spilled a call over from."""
    named = headers.get(SPILLED_FROM_HEADER)
    if named:
        return named
    stem = SPILLED_FROM_HEADER.removesuffix("deployment")
    for name in headers:
        if name.lower().startswith(stem):
            return name[len(stem) :]
    return None


def _tokens_left(headers: Mapping[str, str]) -> int | None:
    try:
        return max(0, int(headers[TOKENS_LEFT_HEADER]))
    except (KeyError, ValueError):
        return None


def utilization_of(headers: Mapping[str, str]) -> float | None:
    """The level as a float, 1.0 is 100 %; None if the header is missing or malformed."""
    value = headers.get(UTILIZATION_HEADER)
    if value is None or not value.endswith("%"):
        return None
    try:
        return float(value[:-1]) / 100
    except ValueError:
        return None


def retry_after_of(headers: Mapping[str, str]) -> float:
    """Seconds until the deployment is below 100 %; the finer header first."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return min(max(0.0, seconds), LONGEST_RETRY_AFTER_SECONDS)
    return DEFAULT_RETRY_AFTER_SECONDS
