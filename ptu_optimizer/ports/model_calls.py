"""One call to a deployment: how it is made, and everything that its answer can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .documents import JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenUsage:
    """Tokens as the service reports them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What every response may say besides its content."""

    status: int | None = None
    utilization: float | None = None
    """The level from `azure-openai-deployment-utilization`, 1.0 is 100 %; None without it."""
    service_request_id: str | None = None
    served_by: str | None = None
    """The deployment that answered, if the service says so."""
    spilled_from: str | None = None
    """The provisioned deployment that was full, so that Azure itself had the call answered by
    pay-as-you-go: a 429 in disguise."""
    tokens_left: int | None = None
    """The tokens per minute that a pay-as-you-go deployment has left; None if it does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Success(Answer):
    response: JsonObject
    usage: TokenUsage | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Throttled(Answer):
    """429: a flow signal, not a failure."""

    retry_after_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Transient(Answer):
    """408, 409, 5xx, no connection, no answer in time: worth another attempt later."""

    why: str
    error: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected(Answer):
    """Any other 4xx: this request fails for good with the service's error."""

    error: Mapping[str, Any]


CallResult = Success | Throttled | Transient | Rejected


class ModelCaller(Protocol):
    async def complete(
        self, *, deployment: str, body: JsonObject, call_id: str, timeout_seconds: float
    ) -> CallResult:
        """One call, no retries, bounded in total time. Never raises for what a service can do."""
        ...
