"""The app as its user sees it: taking requests in, reading results back, showing the capacity."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from local.system.errors import SystemFailed

ITEMS_PER_CALL = 500
READERS = 8
"""How many results are read at once; more would only queue at the host."""

RETRY_SECONDS = 1.0
FINAL = frozenset({"succeeded", "failed", "expired", "cancelled"})


@dataclass(frozen=True)
class Result:
    """What `GET /response/{id}` said last."""

    request_id: str
    state: str
    deferrals: int = 0
    answered: bool = False
    """There is an answer with words in it."""

    @property
    def final(self) -> bool:
        return self.state in FINAL


class Api:
    """A client that tries again while no host answers; `url` is asked for every call."""

    def __init__(self, *, session: aiohttp.ClientSession, url: Callable[[], str], key: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"x-functions-key": key}

    async def submit(self, items: Sequence[dict[str, Any]]) -> list[str]:
        """Post all items, some hundred a call; their request ids in order.

        Raises SystemFailed if the app refuses them.
        """
        ids: list[str] = []
        for start in range(0, len(items), ITEMS_PER_CALL):
            part = items[start : start + ITEMS_PER_CALL]
            url = f"{self._url()}/producer"
            async with self._session.post(url, json=part, headers=self._headers) as response:
                if response.status != 202:
                    said = (await response.text())[:500]
                    raise SystemFailed(f"POST /producer answered {response.status}: {said}")
                ids += (await response.json())["request_ids"]
        return ids

    async def results(self, request_ids: Sequence[str], *, until: float) -> dict[str, Result]:
        """Read every result until it is final or the event loop's clock shows `until`."""
        results: dict[str, Result] = {}
        open_ids = list(request_ids)
        clock = asyncio.get_running_loop().time
        while True:
            read = await self._read_all(open_ids)
            results |= read
            open_ids = [one for one in open_ids if not read[one].final]
            if not open_ids or clock() >= until:
                return results
            await asyncio.sleep(RETRY_SECONDS)

    async def capacity(self, deployment: str) -> dict[str, Any] | None:
        """What it says of a deployment; None while nobody answers."""
        try:
            url = f"{self._url()}/capacity/{deployment}"
            async with self._session.get(url, headers=self._headers) as response:
                return dict(await response.json()) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, SystemFailed):  # the last: no host runs at all
            return None

    async def _read_all(self, request_ids: Sequence[str]) -> dict[str, Result]:
        places = asyncio.Semaphore(READERS)

        async def read(request_id: str) -> Result:
            async with places:
                return await self._read(request_id)

        results = await asyncio.gather(*(read(one) for one in request_ids))
        return {result.request_id: result for result in results}

    async def _read(self, request_id: str) -> Result:
        url = f"{self._url()}/response/{request_id}"
        try:
            async with self._session.get(url, headers=self._headers) as response:
                if response.status != 200:
                    return Result(request_id, f"HTTP {response.status}")
                body = await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            return Result(request_id, type(error).__name__)
        return Result(
            request_id,
            state=body["state"],
            deferrals=body.get("deferrals") or 0,
            answered=_has_words(body.get("response")),
        )


def _has_words(response: Any) -> bool:
    try:
        return bool(response["choices"][0]["message"]["content"].strip())
    except (AttributeError, KeyError, IndexError, TypeError):
        return False
