"""Azure OpenAI's errors, in Azure's shapes and words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

__all__ = [
    "ApiError",
    "bad_key",
    "bad_token",
    "deployment_not_found",
    "injected",
    "invalid",
    "rate_limited",
    "resource_not_found",
]

_CONTENT_FILTER_MESSAGE = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management "
    "policy. Please modify your prompt and retry."
)
_MESSAGES = {
    408: "The operation was timeout.",
    409: "The request conflicts with another one that is under way. Please retry.",
    500: "The server had an error while processing your request. Sorry about that!",
    503: "The server is currently overloaded with other requests. Sorry about that! "
    "You can retry your request.",
}


class ApiError(Exception):
    """An answer other than 200: status, JSON body and headers of its own."""

    def __init__(
        self, status: int, error: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(error.get("message", status)))
        self.status = status
        self.body = orjson.dumps({"error": error})
        self.headers = dict(headers or {})


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """400: the body is not what the operation takes."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return ApiError(400, error)


def bad_key() -> ApiError:
    """401: no credential, or a key that is not this resource's."""
    return ApiError(
        401,
        {
            "code": "401",
            "message": "Access denied due to invalid subscription key or wrong API endpoint. Make "
            "sure to provide a valid key for an active subscription and use a correct regional "
            "API endpoint for your resource.",
        },
    )


def bad_token(audience: str) -> ApiError:
    """401: a bearer token that was not issued here, has expired, or is for something else."""
    return ApiError(
        401,
        {
            "code": "Unauthorized",
            "message": "Unauthorized. Access token is missing, invalid, audience is incorrect "
            f"({audience}), or have expired.",
        },
    )


def resource_not_found() -> ApiError:
    """404: no such path, or no usable api-version."""
    return ApiError(404, {"code": "404", "message": "Resource not found"})


def deployment_not_found() -> ApiError:
    """404: the path is right, the deployment is not."""
    return ApiError(
        404,
        {
            "code": "DeploymentNotFound",
            "message": "The API deployment for this resource does not exist. If you created the "
            "deployment within the last 5 minutes, please wait a moment and try again.",
        },
    )


def rate_limited(retry_after_ms: int, *, api_version: str, provisioned: bool) -> ApiError:
    """429 with both retry headers: ``retry-after`` in whole seconds, rounded up."""
    seconds = -(-retry_after_ms // 1_000)
    if provisioned:
        message = f"Rate limit is exceeded. Try again in {seconds} seconds."
    else:
        message = (
            "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version "
            f"{api_version} have exceeded token rate limit of your current AIServices S0 pricing "
            f"tier. Please retry after {seconds} seconds."
        )
    return ApiError(
        429,
        {"code": "429", "message": message},
        {"retry-after-ms": str(retry_after_ms), "retry-after": str(seconds)},
    )


def injected(status: int, *, code: str | None, retry_after_ms: int | None) -> ApiError:
    """The error that a fault asks for, in the shape that the service would give it."""
    if status == 429:
        return rate_limited(retry_after_ms or 1_000, api_version="", provisioned=True)
    headers = {}
    if retry_after_ms is not None:
        headers = {
            "retry-after-ms": str(retry_after_ms),
            "retry-after": str(-(-retry_after_ms // 1_000)),
        }
    if code == "content_filter":
        safe = {"filtered": False, "severity": "safe"}
        result = {"hate": safe, "self_harm": safe, "sexual": safe}
        error: dict[str, Any] = {
            "message": _CONTENT_FILTER_MESSAGE,
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": status,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {
                    **result,
                    "violence": {"filtered": True, "severity": "medium"},
                },
            },
        }
        return ApiError(status, error, headers)
    message = _MESSAGES.get(status, f"Injected fault {status}.")
    return ApiError(status, {"code": code or str(status), "message": message}, headers)
