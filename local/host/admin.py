"""The host's own endpoints, on the same port, for tooling on this machine only.

`GET /admin/host/status` and `GET /admin/functions`, both with the master key, as the real host has
them; the status also says which partitions are owned and what is running.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from local.host.keys import Keys
from local.host.proxy import Send, respond

Report = Callable[[], Any]


class Admin:
    """Answers everything below `/admin/`."""

    def __init__(self, *, keys: Keys, reports: Mapping[str, Report]) -> None:
        self._keys = keys
        self._reports = reports

    async def answer(
        self, scope: Mapping[str, Any], path: str, key: str | None, send: Send
    ) -> None:
        """One request below `/admin/`."""
        client = scope.get("client")
        if client is None or not ipaddress.ip_address(client[0]).is_loopback:
            await respond(send, 403)
        elif not self._keys.is_master(key):
            await respond(send, 401)
        elif scope["method"] != "GET" or path.rstrip("/") not in self._reports:
            await respond(send, 404)
        else:
            body = orjson.dumps(self._reports[path.rstrip("/")](), option=orjson.OPT_INDENT_2)
            await respond(send, 200, body, "application/json")
