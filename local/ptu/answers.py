"""Deterministic answers: the same messages and seed give the same text and length. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any
from zlib import crc32

import orjson

__all__ = ["answer_text", "message_seed", "seeded_share"]

# Each word with its leading space is one o200k token, so a text of n words is n tokens long.
_TEXT = (
    "the answer is that each part of this question can be worked out in order first we find "
    "how many there are then we take what was given and add it to the rest so the total number "
    "will be larger than before after that we compare both sides and see which one is right "
    "because every step follows from the last we can check the result by going back over it "
    "once more if it holds we are done and the final value stands as written here for you"
)
_WORDS = _TEXT.split()
_CYCLE = len(_WORDS)


def message_seed(body: Mapping[str, Any], seed: int) -> int:
    """What an answer depends on: the messages and the server's seed, and nothing else."""
    return crc32(orjson.dumps(body["messages"]), seed)


def seeded_share(seed: int, low: float, high: float) -> float:
    """A share between ``low`` and ``high`` that depends on ``seed`` only."""
    return low + (high - low) * Random(seed).random()


def answer_text(seed: int, first: int, last: int) -> str:
    """The tokens ``first`` up to but not including ``last`` of that seed's answer."""
    start = seed % _CYCLE + first
    length = last - first
    begin = start % _CYCLE
    repeats = (begin + length) // _CYCLE + 1
    text = " ".join((_WORDS * repeats)[begin : begin + length])
    return f" {text}" if first and length else text
