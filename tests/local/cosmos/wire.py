"""Raw HTTP, signed with the account key: for what Python's SDK does not send, or not so."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import aiohttp

from local.cosmos import EMULATOR_KEY

DOCS = "dbs/ptu/colls/requests/docs"


class Wire:
    """Signs and sends."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        key: str | None = '["s"]',
        signed_at: float | None = None,
        headers: dict[str, str] | None = None,
        signed: tuple[str, str] | None = None,
    ) -> tuple[int, Any, Any]:
        """Status, headers and JSON of the answer.

        `signed` is a resource's type and id, which .NET's client signs where a path holds ids.
        """
        sent = {
            **signature(method, *(signed or _named_by(path)), at=signed_at),
            **({} if key is None else {"x-ms-documentdb-partitionkey": key}),
            **(headers or {}),
        }
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        url = f"{self._url}/{path}"
        async with self._session.request(method, url, data=data, headers=sent) as answer:
            raw = await answer.read()
            return answer.status, answer.headers, json.loads(raw) if raw else None


def signature(method: str, kind: str, link: str, *, at: float | None = None) -> dict[str, str]:
    """The headers that authorize a request."""
    date = formatdate(time.time() if at is None else at, usegmt=True)
    text = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
    secret = base64.b64decode(EMULATOR_KEY)
    signed = base64.b64encode(hmac.digest(secret, text.encode(), hashlib.sha256)).decode()
    return {
        "x-ms-date": date,
        "authorization": quote(f"type=master&ver=1.0&sig={signed}", safe=""),
    }


def _named_by(path: str) -> tuple[str, str]:
    segments = path.split("/")  # of the root, one that is empty: signed over empty names
    if len(segments) % 2:
        return segments[-1], "/".join(segments[:-1])
    return segments[-2], path
