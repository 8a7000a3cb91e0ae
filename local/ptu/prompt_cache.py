"""Azure's prompt cache, simplified. Pure.

Prompts of at least 1,024 tokens whose first 1,024 are identical hit the cache; beyond that, hits
come in steps of 128 tokens, and an entry lives for some minutes after its last use.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

__all__ = ["PromptCache"]

MINIMUM_TOKENS = 1_024
STEP_TOKENS = 128


class PromptCache:
    """Remembers the newest prompt behind each 1,024-token prefix for ``lifetime_seconds``."""

    def __init__(self, *, lifetime_seconds: float, capacity: int = 1_000) -> None:
        if not lifetime_seconds >= 0:
            raise ValueError(f"lifetime_seconds must be >= 0, not {lifetime_seconds!r}")
        self.lifetime_seconds = lifetime_seconds
        self._capacity = capacity
        self._entries: OrderedDict[tuple[int, ...], tuple[float, Sequence[int]]] = OrderedDict()

    def cached_tokens(self, tokens: Sequence[int], *, now: float) -> int:
        """How many of the prompt's tokens are cached at ``now``; the prompt is cached after it."""
        if len(tokens) < MINIMUM_TOKENS:
            return 0
        key = tuple(tokens[:MINIMUM_TOKENS])
        used_at, known = self._entries.get(key, (-1.0, ()))
        hit = bool(known) and now - used_at <= self.lifetime_seconds
        self._entries[key] = (now, tokens)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        return _common_prefix(known, tokens) // STEP_TOKENS * STEP_TOKENS if hit else 0

    def clear(self) -> None:
        self._entries.clear()


def _common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    shorter = min(len(one), len(other))
    return next((i for i in range(shorter) if one[i] != other[i]), shorter)
