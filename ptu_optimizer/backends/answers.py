"""What the answer of a backend says: status, headers and body in, a `CallResult` out. No I/O."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import (
    CallResult,
    Rejected,
    Success,
    Throttled,
    TokenUsage,
    Transient,
)

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

DEFAULT_RETRY_AFTER_SECONDS = 1.0
LONGEST_RETRY_AFTER_SECONDS = 3_600.0
"""A PTU deployment drains in seconds. A longer time is a time of day in the wrong header, or
comes from a proxy. If it were believed, it would close the gate until the process ends."""

LARGEST_BODY_BYTES = 64 * 1024 * 1024
"""Of a body that came compressed. It is in memory as a whole."""

_TRANSIENT = frozenset({408, 409, 425})
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""As zlib wants them: which header and checksum surround the compressed bytes."""


def result_of(*, status: int, headers: Mapping[str, str], body: bytes) -> CallResult:
    """What became of a chat completion. The names of `headers` are in lower case, or `headers`
    ignores case."""
    common: dict[str, Any] = {"status": status, **_told(headers)}
    if 200 <= status < 300:
        try:
            content = _object(_plain(headers, body))
        except ValueError:
            # the call ran, and its cost is not reported: the same as no answer
            return Transient(why="the answer was no JSON object")
        return Success(response=content, usage=usage_of(content), **common)
    if status == 429:
        return Throttled(retry_after_seconds=retry_after_of(headers), **common)
    error = error_of(status=status, headers=headers, body=body)
    if status in _TRANSIENT or status >= 500:
        return Transient(why=f"the deployment answered {status}", error=error, **common)
    return Rejected(error=error, **common)


def usage_of(content: JsonObject) -> TokenUsage | None:
    """The tokens that the service counted; None if it does not say so in numbers."""
    usage = content.get("usage")
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    counts = [
        0 if count is None else count
        for count in (usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)
    ]
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        return None
    prompt, completion, cached = counts
    return TokenUsage(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached)


def error_of(*, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The service's own error, in OpenAI's shape; whatever else came, as its message."""
    try:
        text = _plain(headers, body).decode("utf-8", "replace").strip()
    except ValueError:
        text = ""
    said: Any = text
    try:
        said = orjson.loads(text)
    except ValueError:
        pass
    else:
        said = said.get("error", said) if isinstance(said, dict) else said
    if isinstance(said, dict):
        return said
    return {
        "message": str(said or f"Error code: {status}"),
        "type": "upstream_error",
        "param": None,
        "code": str(status),
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


def tokens_left_of(headers: Mapping[str, str]) -> int | None:
    """The tokens per minute that a pay-as-you-go deployment has left; None if it does not say."""
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


def _told(headers: Mapping[str, str]) -> dict[str, Any]:
    """What the headers of any answer may say."""
    return {
        "utilization": utilization_of(headers),
        "service_request_id": headers.get("apim-request-id"),
        "served_by": headers.get(SERVED_BY_HEADER),
        "spilled_from": spilled_from(headers),
        "tokens_left": tokens_left_of(headers),
    }


def _object(body: bytes) -> JsonObject:
    """Raises ValueError."""
    content: Any = orjson.loads(body)
    if not isinstance(content, dict):
        raise ValueError("not an object")
    return content


def _plain(headers: Mapping[str, str], body: bytes) -> bytes:
    """The body without its compression, which we do not ask for; a proxy may compress all the same,
    and a call whose answer we cannot read would be paid for again. Raises ValueError."""
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in _WINDOW_BITS:
        return body
    inflate = zlib.decompressobj(_WINDOW_BITS[coding])
    try:
        plain = inflate.decompress(body, LARGEST_BODY_BYTES)
    except zlib.error as error:
        raise ValueError("not compressed as it says") from error
    if not inflate.eof:
        raise ValueError("incomplete, or too large")
    return plain
