"""The batch: real questions from examples/ (see the notice there) as chat-completions bodies."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

from local.dev import paths

QUESTIONS = paths.ROOT / "examples" / "gsm8k_test.jsonl.gz"
SYSTEM = "You are a careful maths tutor. Reason step by step, then give the answer on its own line."
MAX_TOKENS = 300
"""Room for the longest worked answers of the set."""


def read_questions(number: int, path: Path = QUESTIONS) -> list[dict[str, Any]]:
    """`number` bodies; the set starts again where it is too short."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        questions = [json.loads(line)["question"] for line in file]
    return [
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": question},
            ],
            "max_tokens": MAX_TOKENS,
        }
        for question in itertools.islice(itertools.cycle(questions), number)
    ]
