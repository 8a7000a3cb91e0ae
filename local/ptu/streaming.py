"""The pace of a streamed answer."""

from __future__ import annotations

import asyncio

from aiohttp import web

from local.ptu.chat_call import ChatCall
from local.ptu.completions import Chunks
from local.ptu.latency import Timing

__all__ = ["sleep_until", "write_text"]

CHUNK_SECONDS = 0.04
"""Tokens that come faster than this share a chunk, so that many streams stay cheap."""
TOKENS_PER_BURST = 16
"""Tokens a chunk when there is no time between tokens at all."""


async def write_text(
    response: web.StreamResponse, chunks: Chunks, call: ChatCall, timing: Timing, begun: float
) -> None:
    """Send tokens as they become due."""
    loop = asyncio.get_running_loop()
    sent = 0
    while sent < call.output_tokens:
        due = min(call.output_tokens, sent + TOKENS_PER_BURST)
        if timing.per_token > 0:
            elapsed = loop.time() - begun - timing.first_token
            due = min(call.output_tokens, 1 + int(max(0.0, elapsed) / timing.per_token))
        if due > sent:
            await response.write(chunks.text(sent, due))
            sent = due
        if timing.per_token > 0 and sent < call.output_tokens:
            pause = max(CHUNK_SECONDS, timing.per_token)
            await sleep_until(min(loop.time() + pause, begun + timing.total))


async def sleep_until(at: float) -> None:
    """Until the event loop's clock says ``at``; at once if it is past."""
    seconds = at - asyncio.get_running_loop().time()
    if seconds > 0:
        await asyncio.sleep(seconds)
