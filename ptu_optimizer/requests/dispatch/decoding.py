"""From the bytes of a delivered event to a request, a result or a nudge."""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from ptu_optimizer.requests.envelope import (
    MAX_REASON_CHARS,
    NudgeEvent,
    RequestEvent,
    UndecodableEvent,
)
from ptu_optimizer.requests.ledger.result_event import ResultEvent

Event = RequestEvent | ResultEvent | NudgeEvent


_EVENT: TypeAdapter[Event] = TypeAdapter(
    Annotated[RequestEvent | ResultEvent | NudgeEvent, Field(discriminator="kind")]
)


def decode(raw: bytes) -> Event:
    """Raises UndecodableEvent."""
    try:
        return _EVENT.validate_python(orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise UndecodableEvent(f"not JSON: {error}") from None
    except ValidationError as error:
        raise UndecodableEvent(_reasons(error)) from None


def _reasons(error: ValidationError) -> str:
    reasons: list[str] = []
    for entry in error.errors(include_url=False, include_input=False, include_context=False)[:10]:
        place = ".".join(map(str, entry["loc"])) or "event"
        if entry["type"].startswith("union_tag"):
            reasons.append(f"{place}: kind should be request, result or nudge")
        else:
            reasons.append(f"{place}: {entry['msg']}")
    return "; ".join(reasons)[:MAX_REASON_CHARS]
