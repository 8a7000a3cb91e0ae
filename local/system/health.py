"""Whether the app on the hosts can work with its settings."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request

from local.system.errors import SystemFailed
from local.system.part import Part

ANSWER_SECONDS = 30.0


async def require_good_settings(host: Part) -> None:
    """The host finds all functions whatever the settings are, and the app says so by `/health`.

    Raises SystemFailed with the app's words: whoever has just started it should not have to ask.
    """
    said = await asyncio.to_thread(_complaint, f"{host.url}/health")
    if said is not None:
        raise SystemFailed(f"{said}\n{host.tail()}\nThe whole log: {host.log}")


def _complaint(url: str) -> str | None:
    """By the standard library: commands are read before anything is installed."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS):  # noqa: S310 - our own host
            return None
    except urllib.error.HTTPError as error:
        return str(json.loads(error.read())["error"]["message"])
