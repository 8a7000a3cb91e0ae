"""Chat completions on the wire: whole ones, and the chunks of streamed ones. Pure."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson

from local.ptu.answers import answer_text
from local.ptu.chat_call import ChatCall

__all__ = ["DONE", "Chunks", "completion"]

DONE = b"data: [DONE]\n\n"
_SAFE = {"filtered": False, "severity": "safe"}
_FILTERED = {"hate": _SAFE, "self_harm": _SAFE, "sexual": _SAFE, "violence": _SAFE}
_PROMPT_FILTERED = [{"prompt_index": 0, "content_filter_results": _FILTERED}]
_FINGERPRINT = "fp_local"


def completion(call: ChatCall, *, model: str, now: float) -> bytes:
    """The body of a call that is answered in one piece."""
    return orjson.dumps(
        {
            "id": f"chatcmpl-{uuid4().hex}",
            "object": "chat.completion",
            "created": int(now),
            "model": model,
            "system_fingerprint": _FINGERPRINT,
            "prompt_filter_results": _PROMPT_FILTERED,
            "choices": [
                {
                    "index": 0,
                    "finish_reason": call.finish_reason,
                    "logprobs": None,
                    "content_filter_results": _FILTERED,
                    "message": {
                        "role": "assistant",
                        "content": answer_text(call.seed, 0, call.output_tokens),
                        "refusal": None,
                        "annotations": [],
                    },
                }
            ],
            "usage": _usage(call),
        }
    )


class Chunks:
    """The server-sent events of one streamed call, in the order in which Azure sends them."""

    def __init__(self, call: ChatCall, *, model: str, now: float) -> None:
        self._call = call
        self._base: dict[str, Any] = {
            "id": f"chatcmpl-{uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(now),
            "model": model,
            "system_fingerprint": _FINGERPRINT,
        }
        if call.body.include_usage:
            self._base["usage"] = None

    def first(self) -> bytes:
        """What precedes the text: the prompt's filter results, then the role."""
        filters = {"choices": [], "prompt_filter_results": _PROMPT_FILTERED}
        return self._event(filters) + self._choice({"role": "assistant", "content": ""}, None)

    def text(self, first: int, last: int) -> bytes:
        """The output tokens ``first`` up to but not including ``last``."""
        content = answer_text(self._call.seed, first, last)
        return self._choice({"content": content}, None)

    def last(self) -> bytes:
        """Why it ended, the usage if it was asked for, and the end mark."""
        end = self._choice({}, self._call.finish_reason)
        if self._call.body.include_usage:
            end += self._event({"choices": [], "usage": _usage(self._call)})
        return end + DONE

    def _choice(self, delta: dict[str, Any], finish_reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return self._event({"choices": [choice]})

    def _event(self, fields: dict[str, Any]) -> bytes:
        return b"data: " + orjson.dumps({**self._base, **fields}) + b"\n\n"


def _usage(call: ChatCall) -> dict[str, Any]:
    return {
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.output_tokens,
        "total_tokens": call.prompt_tokens + call.output_tokens,
        "prompt_tokens_details": {"cached_tokens": call.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
