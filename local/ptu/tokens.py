"""Prompt tokens, counted offline with OpenAI's o200k vocabulary (bpe-openai ships it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import orjson

__all__ = ["prompt_token_ids", "prompt_tokens"]

TOKENS_PER_MESSAGE = 3
"""OpenAI's rule of thumb for chat prompts: three tokens of framing a message …"""
TOKENS_PER_REPLY = 3
"""… and three that prime the reply."""
TOKENS_PER_IMAGE = 85
"""A low-detail image. Finer detail costs more in Azure; pictures are not what is studied here."""


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """Tokens of a valid chat-completions body: messages, and tools if it has any."""
    total = TOKENS_PER_REPLY
    for message in body["messages"]:
        total += TOKENS_PER_MESSAGE + sum(_count(text) for text in _texts(message))
        content = message.get("content")
        if isinstance(content, list):
            total += TOKENS_PER_IMAGE * sum(part.get("type") == "image_url" for part in content)
    tools = body.get("tools")
    return total + _count(orjson.dumps(tools).decode()) if tools else total


def prompt_token_ids(body: Mapping[str, Any]) -> Sequence[int]:
    """The prompt as token ids, to compare prefixes by."""
    text = "\n".join(text for message in body["messages"] for text in _texts(message))
    ids: list[int] = _encoding().encode_ordinary(text)
    return ids


def _texts(message: Mapping[str, Any]) -> list[str]:
    texts = [message["role"]]
    content = message.get("content")
    if isinstance(content, str):
        texts.append(content)
    elif isinstance(content, list):
        texts += [part["text"] for part in content if part.get("type") == "text"]
    if "name" in message:
        texts.append(str(message["name"]))
    if message.get("tool_calls"):
        texts.append(orjson.dumps(message["tool_calls"]).decode())
    return texts


@cache
def _encoding() -> Any:
    # Imported on first use: it loads its vocabularies, which takes half a second that the pure
    # core, and a server whose callers send token counts, need not pay.
    import bpe_openai

    return bpe_openai.get_encoding("o200k_base")


@lru_cache(maxsize=4_096)
def _count(text: str) -> int:
    return len(_encoding().encode_ordinary(text))
