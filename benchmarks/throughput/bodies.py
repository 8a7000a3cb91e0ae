"""The work: real questions as chat-completions bodies, encoded once for ours and bare alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from local.demo.questions import read_questions

Body = dict[str, Any]


def bodies(number: int) -> list[Body]:
    """`number` bodies; the questions start again where there are too few."""
    return read_questions(number)


def arrays(items: Sequence[Body], *, size: int) -> list[list[bytes]]:
    """The encoded bodies, `size` together; the last lot may be smaller."""
    encoded = [orjson.dumps(item) for item in items]
    return [encoded[start : start + size] for start in range(0, len(encoded), size)]


def json_array(encoded: Sequence[bytes]) -> bytes:
    """What `POST /producer` takes."""
    return b"[" + b",".join(encoded) + b"]"
