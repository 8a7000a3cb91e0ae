"""What a caller may send: an OpenAI chat-completions body, or an envelope around one. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.requests.item import Item, Priority, Spillover

MAX_NESTING = 100
"""Arrays and objects in one another, in a body. Cosmos DB takes 128 in an item; our records need
a few of them. orjson reads 1,024 but writes only 254: deeper ones must not even come in."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]


def _not_streaming(stream: bool) -> bool:
    if stream:
        raise ValueError("must be false")
    return stream


class _ChatBody(BaseModel):
    """Only what this app must know; every other field passes through untouched."""

    model_config = ConfigDict(extra="ignore")
    messages: Annotated[list[_Message], Field(min_length=1)]
    model: StrictStr | None = None
    stream: Annotated[StrictBool, AfterValidator(_not_streaming)] | None = None
    max_tokens: Annotated[StrictInt, Field(gt=0)] | None = None
    max_completion_tokens: Annotated[StrictInt, Field(gt=0)] | None = None


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _time_as_text(value: object) -> str:
    """Pydantic would also take a number, and guess between seconds and milliseconds."""
    if isinstance(value, str) and _TIME.match(value):
        return value
    raise ValueError("not a time")


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid")
    body: JsonObject
    custom_id: Annotated[StrictStr, Field(min_length=1, max_length=512)] | None = None
    deployment: StrictStr | None = None
    priority: Priority = Priority.NORMAL
    deadline: Annotated[AwareDatetime, BeforeValidator(_time_as_text)] | None = None
    completion_window: Annotated[StrictStr, Field(pattern=r"^[1-9][0-9]{0,5}[smhd]$")] | None = None
    spillover: Spillover = Spillover.NEVER
    metadata: (
        Annotated[
            dict[
                Annotated[StrictStr, Field(max_length=64)],
                Annotated[StrictStr, Field(max_length=512)],
            ],
            Field(max_length=16),
        ]
        | None
    ) = None


PLANNED_FIELDS = frozenset({"tenant", "callback", "endpoint", "method", "url"})
"""Envelope fields that have, or may get, a meaning: refused by name until it is built."""


_WINDOW_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


_REASONS = {
    "deadline": "must be an ISO 8601 time with a time zone, such as 2026-11-21T18:00:00Z",
    "stream": "must be absent or false: a queued request cannot stream",
    "completion_window": 'must be a number and a unit of s, m, h or d, such as "24h"',
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one item of a call is refused."""

    index: int
    path: str
    reason: str

    def as_dict(self) -> JsonObject:
        return {"index": self.index, "path": self.path, "reason": self.reason}


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemRules:
    """What an item is held against. Times in seconds."""

    deployments: Collection[str]
    default_deployment: str
    default_deadline_seconds: float
    longest_deadline_seconds: float
    """No deadline may lie beyond the hub's retention: the event would be gone before it."""
    spills_over: Collection[str] = ()
    """The deployments that have a spillover target."""


def parse_item(raw: object, index: int, *, now: float, rules: ItemRules) -> Item | list[Problem]:
    """One item, or every reason why it is refused."""
    if not isinstance(raw, dict):
        return [Problem(index, "", "must be a JSON object")]
    if "body" not in raw:
        if "messages" not in raw:
            return [
                Problem(
                    index,
                    "",
                    "must be a chat-completions body (with messages) or an envelope with a body",
                )
            ]
        problems = _check_body(raw, index, prefix="")
        if problems:
            return problems
        return Item(
            body=raw,
            deployment=_deployment(None, raw, rules),
            deadline=now + rules.default_deadline_seconds,
        )
    return _parse_envelope(raw, index, now=now, rules=rules)


def _parse_envelope(
    raw: JsonObject, index: int, *, now: float, rules: ItemRules
) -> Item | list[Problem]:
    problems = [
        Problem(index, name, "is not supported yet; leave it out")
        for name in sorted(PLANNED_FIELDS & raw.keys())
    ]
    known = {name: value for name, value in raw.items() if name not in PLANNED_FIELDS}
    try:
        envelope = _Envelope.model_validate(known)
    except ValidationError as error:
        return problems + _problems(error, index, prefix="")
    problems += _check_body(envelope.body, index, prefix="body")
    if envelope.deployment is not None and envelope.deployment not in rules.deployments:
        known_names = ", ".join(sorted(rules.deployments))
        problems.append(Problem(index, "deployment", f"is unknown; known are: {known_names}"))
    deadline, reason = _deadline(envelope, now=now, rules=rules)
    if reason is not None:
        problems.append(Problem(index, reason[0], reason[1]))
    deployment = _deployment(envelope.deployment, envelope.body, rules)
    if (
        envelope.spillover is not Spillover.NEVER
        and deployment in rules.deployments
        and deployment not in rules.spills_over
    ):
        problems.append(Problem(index, "spillover", _no_target(deployment, rules)))
    if problems:
        return problems
    return Item(
        body=envelope.body,
        deployment=deployment,
        deadline=deadline,
        priority=envelope.priority,
        custom_id=envelope.custom_id,
        metadata=envelope.metadata,
        spillover=envelope.spillover,
    )


def _no_target(deployment: str, rules: ItemRules) -> str:
    others = ", ".join(sorted(rules.spills_over)) or "no deployment"
    return (
        f"is not possible: deployment {deployment} has no spillover target (DEPLOYMENTS, "
        f"SPILLOVER_DEPLOYMENTS); {others} has"
    )


def _deployment(wanted: str | None, body: JsonObject, rules: ItemRules) -> str:
    if wanted is not None:
        return wanted
    model = body.get("model")
    if isinstance(model, str) and model in rules.deployments:
        return model
    return rules.default_deployment


def _deadline(
    envelope: _Envelope, *, now: float, rules: ItemRules
) -> tuple[float, tuple[str, str] | None]:
    field = "deadline"
    if envelope.deadline is not None and envelope.completion_window is not None:
        return 0.0, ("completion_window", "cannot be given together with deadline")
    if envelope.deadline is not None:
        deadline = envelope.deadline.timestamp()
    elif envelope.completion_window is not None:
        field = "completion_window"
        window = envelope.completion_window
        deadline = now + int(window[:-1]) * _WINDOW_SECONDS[window[-1]]
    else:
        deadline = now + rules.default_deadline_seconds
    if deadline <= now:
        return 0.0, (field, "lies in the past")
    if deadline > now + rules.longest_deadline_seconds:
        latest = datetime.fromtimestamp(now + rules.longest_deadline_seconds, UTC)
        return 0.0, (
            field,
            "lies beyond what the hub retains (HUB_RETENTION_SECONDS); "
            f"the latest possible is {latest.isoformat(timespec='seconds')}",
        )
    return deadline, None


def _check_body(body: JsonObject, index: int, *, prefix: str) -> list[Problem]:
    if _nests_deeper(body, MAX_NESTING):
        return [Problem(index, prefix, f"nests arrays and objects deeper than {MAX_NESTING}")]
    try:
        _ChatBody.model_validate(body)
    except ValidationError as error:
        return _problems(error, index, prefix=prefix)
    return []


def _nests_deeper(value: JsonObject, levels: int) -> bool:
    """Layer by layer: a recursion would end where it is needed."""
    layer: list[Any] = [value]
    for _ in range(levels):
        layer = [
            child
            for node in layer
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not layer:
            return False
    return True


def _problems(error: ValidationError, index: int, *, prefix: str) -> list[Problem]:
    problems = []
    for entry in error.errors(include_url=False, include_input=False, include_context=False):
        location = entry["loc"]
        if len(location) == 3 and location[-1] == "[key]":  # metadata: the key itself is bad
            location = location[:-1]
        place = ".".join(map(str, location))
        path = f"{prefix}.{place}" if prefix else place
        problems.append(Problem(index, path, _reason(entry["type"], place, entry["msg"])))
    return problems


def _reason(kind: str, place: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "is not a field of the envelope; put model parameters into body"
    if kind in ("model_type", "dict_type"):
        return "must be a JSON object"
    return _REASONS.get(place) or message[:1].lower() + message[1:]
