"""One chat-completions call as the simulator sees it: headers and body, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from local.ptu.answers import message_seed, seeded_share
from local.ptu.calls import Admitted, Refused, Traffic, split_client_request_id
from local.ptu.chat_body import ChatBody
from local.ptu.config import DeploymentConfig
from local.ptu.deployment import Deployment
from local.ptu.errors import ApiError, invalid
from local.ptu.prompt_cache import PromptCache
from local.ptu.tokens import prompt_token_ids, prompt_tokens

__all__ = ["ChatCall", "read_chat_call"]

CLIENT_REQUEST_ID = "x-ms-client-request-id"
SIM_CLASS = "x-sim-class"
SIM_PROMPT_TOKENS = "x-sim-prompt-tokens"
SIM_CACHED_TOKENS = "x-sim-cached-tokens"
SIM_OUTPUT_TOKENS = "x-sim-output-tokens"
SIM_RESERVE_EXACTLY = "x-sim-reserve-exactly"


class ChatCall(NamedTuple):
    """What the call costs and how it will be answered."""

    body: ChatBody
    traffic: Traffic
    request_id: str | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    reserve_tokens: int | None
    """Output tokens to reserve; None leaves it to the deployment's estimate."""
    finish_reason: str
    seed: int

    def arrive(
        self, deployment: Deployment, *, now: float, spillover: bool = False
    ) -> Admitted | Refused:
        """The verdict of a deployment; ``spillover`` if another one has refused it."""
        return deployment.arrive(
            now=now,
            prompt_tokens=self.prompt_tokens,
            max_tokens=self.reserve_tokens,
            cached_tokens=self.cached_tokens,
            traffic=self.traffic,
            request_id=self.request_id,
            spillover=spillover,
        )


def read_traffic(headers: Mapping[str, str]) -> tuple[Traffic, str | None]:
    """Whose call it is, and the request id if it is an attempt of the queue's."""
    attempt = split_client_request_id(headers.get(CLIENT_REQUEST_ID))
    named = headers.get(SIM_CLASS)
    if named is not None:
        try:
            traffic = Traffic(named)
        except ValueError as error:
            raise invalid(f"{SIM_CLASS} must be interactive or batch", param=SIM_CLASS) from error
    else:
        traffic = Traffic.INTERACTIVE if attempt is None else Traffic.BATCH
    return traffic, attempt[0] if attempt else None


def read_chat_call(
    headers: Mapping[str, str],
    body: ChatBody,
    settings: DeploymentConfig,
    *,
    seed: int,
    prompt_cache: PromptCache,
    now: float,
) -> ChatCall:
    """Tokens from the simulation headers where they are given, else counted, drawn or looked up.

    Raises ``ApiError`` 400 for what the deployment refuses.
    """
    if settings.completion_tokens_only and body.values.get("max_tokens") is not None:
        raise invalid(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        )
    traffic, request_id = read_traffic(headers)
    answer_seed = message_seed(body.values, seed)
    prompt = _tokens(headers, SIM_PROMPT_TOKENS)
    cached = _tokens(headers, SIM_CACHED_TOKENS) or 0
    if prompt is None:
        prompt = prompt_tokens(body.values)
        if not cached and prompt_cache.lifetime_seconds:
            cached = prompt_cache.cached_tokens(prompt_token_ids(body.values), now=now)
    limit = body.max_tokens
    output = _tokens(headers, SIM_OUTPUT_TOKENS)
    if output is None:
        share = seeded_share(answer_seed, *settings.output_share)
        output = max(1, int(share * (limit or settings.output_estimate)))
    finish_reason = "stop"
    if limit is not None and output >= limit:
        output, finish_reason = limit, "length"
    return ChatCall(
        body=body,
        traffic=traffic,
        request_id=request_id,
        prompt_tokens=prompt,
        cached_tokens=min(cached, prompt),
        output_tokens=output,
        reserve_tokens=output if headers.get(SIM_RESERVE_EXACTLY) else limit,
        finish_reason=finish_reason,
        seed=answer_seed,
    )


def too_long(call: ChatCall, settings: DeploymentConfig) -> ApiError | None:
    """Some models refuse long prompts on a provisioned deployment (docs/platform.md,
    "Provisioned deployments")."""
    limit = settings.max_prompt_tokens
    if not settings.provisioned or limit is None or call.prompt_tokens <= limit:
        return None
    return invalid(
        f"This model's maximum context length on this deployment is {limit} tokens. However, your "
        f"messages resulted in {call.prompt_tokens} tokens. Please reduce the length of the "
        "messages.",
        param="messages",
        code="context_length_exceeded",
    )


def _tokens(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise invalid(f"{name} must be a whole number >= 0, not {text!r}", param=name)
    return int(text)
