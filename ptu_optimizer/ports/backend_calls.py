"""One HTTP call to a backend, whatever its operation: bytes or a stream out, bytes or a stream in.

What the answer means is not known here: `backends/answers.py` reads it.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


class NoAnswer(Exception):
    """The backend gave no answer, or only a part of one."""

    def __init__(self, why: str) -> None:
        """`why` is for a person, and names no secret."""
        super().__init__(why)
        self.why = why


class Authorization(Protocol):
    """What proves to a backend who calls."""

    async def headers(self) -> Mapping[str, str]:
        """The headers to add to a call. Raises NoAnswer."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendCall:
    method: str
    url: str
    """Absolute, with its query, and percent-encoded already: it is sent as it stands."""
    headers: Mapping[str, str]
    """Sent as they are. Only the host, the length, who we are and the authorization are added."""
    body: bytes | AsyncIterable[bytes] = b""
    authorization: Authorization
    timeout_seconds: float
    """For everything: the token, the connection, the headers and the whole body."""
    idle_seconds: float | None = None
    """The longest silence between two pieces of the answer. None for an answer that comes in one
    piece: until then the backend says nothing, and the total time is the limit."""


class BackendResponse(Protocol):
    """An answer whose headers have come. Its body is read once, by one of the two ways."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Case does not matter to `get` and `[]`; a header that came twice is in `items` twice."""
        ...

    async def read(self) -> bytes:
        """The whole body as it was sent: still compressed if `content-encoding` says so. Raises
        NoAnswer if the rest does not come."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body piece by piece as it comes, likewise as it was sent. Raises NoAnswer."""
        ...


class BackendCalls(Protocol):
    def send(self, call: BackendCall) -> AbstractAsyncContextManager[BackendResponse]:
        """Send once and wait for the headers. Entering raises NoAnswer; any status is an answer.

        Leaving the context ends the call. If the body was not read to its end, or if the caller's
        task was cancelled, the connection is closed, which the backend sees as a hang-up.
        """
        ...
