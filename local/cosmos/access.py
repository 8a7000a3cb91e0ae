"""Authorization by the account key: a request bears an HMAC of what it is and when it was made."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from .calls import Call
from .errors import forbidden, unauthorized

MAX_SKEW_SECONDS: Final = 15 * 60
"""How far a request's date may be from the service's."""

_PREFIX: Final = "type=master&ver=1.0&sig="


class AccountKey:
    """Checks what requests were signed with."""

    def __init__(self, key: str, *, wall_clock: Callable[[], float] = time.time) -> None:
        """`key` is base64, as in a connection string; ValueError if it is not."""
        try:
            self._key = base64.b64decode(key, validate=True)
        except binascii.Error as error:
            raise ValueError("--key: an account key is base64") from error
        self._wall_clock = wall_clock

    def check(self, call: Call) -> None:
        """Raises `CosmosError` 401 for a wrong signature, 403 for one that is not of now."""
        token = call.headers.get("authorization", "")
        if not token:
            raise unauthorized(
                "Required Header authorization is missing. Ensure a valid Authorization token is "
                "passed."
            )
        token = unquote(token)
        if not token.startswith(_PREFIX):
            raise unauthorized(
                "Only tokens signed with the account key (type=master) are accepted here."
            )
        date = call.headers.get("x-ms-date", "")
        signature = token[len(_PREFIX) :]
        if not any(
            hmac.compare_digest(signature.encode(), self._sign(call.method, kind, link, date))
            for kind, link in _signed_resources(call.segments)
        ):
            raise unauthorized(
                "The input authorization token can't serve the request. The wrong key is being "
                "used or the expected payload is not built as per the protocol."
            )
        signed_at = _timestamp(date)
        if signed_at is None or abs(self._wall_clock() - signed_at) > MAX_SKEW_SECONDS:
            raise forbidden("The authorization token is not valid at the current time.")

    def _sign(self, method: str, kind: str, link: str, date: str) -> bytes:
        text = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
        return base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256))


def _signed_resources(segments: tuple[str, ...]) -> list[tuple[str, str]]:
    """Type and link that a client may have signed for a path: by name, or by resource id."""
    if not segments:
        return [("", "")]
    if len(segments) % 2:
        by_name = (segments[-1], "/".join(segments[:-1]))
        return [by_name, (segments[-1], segments[-2].lower())] if len(segments) > 1 else [by_name]
    by_name = (segments[-2], "/".join(segments))
    return [by_name, (segments[-2], segments[-1].lower())]


@lru_cache(maxsize=16)
def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return None
