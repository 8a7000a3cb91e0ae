"""What comes in and what goes out, between the socket and the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from .errors import bad_request


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request."""

    method: str
    segments: tuple[str, ...]
    """The path, split and unquoted."""
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes
    base_url: str
    """Scheme and host as the client knows them, with a slash at the end."""

    def flag(self, header: str) -> bool:
        """Whether a header says true, in any case (Python's SDK says True)."""
        return self.headers.get(header, "").lower() == "true"

    def json(self) -> Any:
        """The body. Raises `CosmosError` 400 if it is not JSON; NaN and Infinity are not."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise bad_request(
                "The request payload is invalid. Ensure to provide a valid request payload: "
                f"{error}"
            ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One response."""

    status: int = 200
    body: bytes | None = None
    charge: float = 1.0
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(status=status, body=orjson.dumps(value), headers=headers or {})
