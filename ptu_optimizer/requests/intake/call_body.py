"""From the body of a call to its items: all of them, or an error that lists what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from ptu_optimizer.errors import AppError, BodyLimit
from ptu_optimizer.requests.item import Item

from .validation import ItemRules, Problem, parse_item

MAX_REPORTED_PROBLEMS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class CallLimits:
    max_items: int
    body: BodyLimit


def parse_call(raw: bytes, *, now: float, rules: ItemRules, limits: CallLimits) -> list[Item]:
    """The items of a call that was read at `now`. Raises AppError."""
    limits.body.check(len(raw))
    try:
        decoded = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise AppError(f"The body is not JSON: {error}.", status=400, code="invalid_json") from None
    entries = decoded if isinstance(decoded, list) else [decoded]
    if not entries:
        raise AppError("The array has no items.", status=400, code="no_items")
    if len(entries) > limits.max_items:
        raise AppError(
            f"A call takes at most {limits.max_items} items (MAX_ITEMS); "
            f"this one has {len(entries)}.",
            status=413,
            code="too_many_items",
        )
    items: list[Item] = []
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        parsed = parse_item(entry, index, now=now, rules=rules)
        if isinstance(parsed, Item):
            items.append(parsed)
        else:
            problems += parsed
    if problems:
        raise _refused(problems, len(entries) - len(items))
    return items


def _refused(problems: Sequence[Problem], items: int) -> AppError:
    first = problems[0]
    place = f"item {first.index}" + (f", {first.path}" if first.path else "")
    return AppError(
        f"{items} item(s) are refused, so none was accepted. First: {place}: {first.reason}.",
        status=400,
        param=f"[{first.index}]" + (f".{first.path}" if first.path else ""),
        code="invalid_items",
        details=[problem.as_dict() for problem in problems[:MAX_REPORTED_PROBLEMS]],
    )
