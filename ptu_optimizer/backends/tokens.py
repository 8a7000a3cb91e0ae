"""Prompt tokens, estimated offline and corrected by what the service reports."""

from __future__ import annotations

import asyncio
import hashlib
from functools import cache
from typing import Any

from ptu_optimizer.capacity.work import DEFAULT_MAX_TOKENS, Model
from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import Success

from .call_record import CallRecord

TOKENS_PER_MESSAGE = 4
"""Role and separators of one chat message, as OpenAI's cookbook counts them (3 and a role)."""

EXACT_UP_TO_CHARS = 64_000
"""Longer texts are estimated by length: tokenizing them would hold up the event loop."""

CHARS_PER_TOKEN = 4.0
_LEARNING_RATE = 0.05


@cache
def _encoding() -> Any:
    import bpe_openai

    return bpe_openai.get_encoding("o200k_base")


class TokenEstimator:
    """Learns per deployment how far the estimate is off (images, tools, other vocabularies)."""

    def __init__(self) -> None:
        self._correction: dict[str, float] = {}

    async def ready(self) -> None:
        """Load the vocabulary off the event loop: it takes half a second, once a process."""
        if _encoding.cache_info().currsize == 0:
            await asyncio.to_thread(_encoding)

    def prompt_tokens(self, body: JsonObject, *, deployment: str) -> float:
        return self._raw(body) * self._correction.get(deployment, 1.0)

    def reserved_work(self, body: JsonObject, *, deployment: str, model: Model) -> float:
        """What the deployment will reserve for this call, in input-equivalent tokens."""
        return model.work(
            prompt_tokens=self.prompt_tokens(body, deployment=deployment),
            output_tokens=_max_tokens(body) * _choices(body),
        )

    def ended(self, call: CallRecord) -> None:
        """Move the correction towards what the service counted, if it counted."""
        if not isinstance(call.result, Success) or call.result.usage is None:
            return
        counted = call.result.usage.prompt_tokens
        ratio = min(8.0, max(0.125, counted / max(1.0, self._raw(call.body))))
        known = self._correction.get(call.backend, 1.0)
        self._correction[call.backend] = known + _LEARNING_RATE * (ratio - known)

    @staticmethod
    def _raw(body: JsonObject) -> float:
        texts = list(_texts(body.get("messages", [])))
        overhead = TOKENS_PER_MESSAGE * len(body.get("messages", []))
        chars = sum(map(len, texts))
        if chars > EXACT_UP_TO_CHARS:
            return overhead + chars / CHARS_PER_TOKEN
        return float(overhead + sum(len(_encoding().encode_ordinary(text)) for text in texts))


PREFIX_CHARS = 4_096
"""Prompts are cached from 1,024 tokens on (Microsoft, "Prompt caching"): about four characters
each in English text."""


def prefix_of(body: JsonObject | None) -> str | None:
    """A name for the beginning of a long prompt; None for one that is too short to be cached."""
    if body is None:
        return None
    digest, missing = hashlib.blake2b(digest_size=8), PREFIX_CHARS
    for text in _texts(body.get("messages", [])):
        digest.update(text[:missing].encode("utf-8", "surrogatepass"))
        missing -= len(text)
        if missing <= 0:
            return digest.hexdigest()
    return None


def work_of_length(length: int, *, model: Model) -> float:
    """For a body that is not at hand yet: by its length in bytes."""
    return model.work(prompt_tokens=length / CHARS_PER_TOKEN, output_tokens=DEFAULT_MAX_TOKENS)


def _max_tokens(body: JsonObject) -> int:
    return body.get("max_completion_tokens") or body.get("max_tokens") or DEFAULT_MAX_TOKENS


def _choices(body: JsonObject) -> int:
    n = body.get("n")
    return n if isinstance(n, int) and n > 0 else 1


def _texts(messages: list[Any]) -> Any:
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            for part in content:
                if isinstance(part, dict) and isinstance(part.get("text"), str):
                    yield part["text"]
