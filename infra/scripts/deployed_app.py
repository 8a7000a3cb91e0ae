"""The deployed app, by HTTP: whether it is awake, and the smoke test's request."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from infra.scripts.tools import HookError

PATIENCE_SECONDS = 600.0
"""For the app to wake, for it to accept the request, and for the outcome, each. After a deployment
the app restarts and roles take minutes to count."""
PAUSE_SECONDS = 5.0

FINAL = frozenset({"succeeded", "failed", "expired", "cancelled"})

NO_FUNCTIONS = (
    "The host answers, but it found no function in the package. See the log, and "
    '"When it does not work" in docs/deployment.md for an app that was built for another Python.'
)


def patience(env: Mapping[str, str]) -> float:
    """SMOKE_SECONDS, or the default. Raises HookError."""
    text = env.get("SMOKE_SECONDS") or str(PATIENCE_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise HookError(f"SMOKE_SECONDS is {text!r}, which is not a number of seconds.")
    return seconds


class App:
    """The deployed app. Every method raises HookError with what the app said last."""

    def __init__(
        self,
        address: str,
        *,
        patience: float = PATIENCE_SECONDS,
        pause: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._address = address.rstrip("/")
        self.patience = patience
        self._pause = pause
        self._clock = clock
        self._sleep = sleep

    def wake(self) -> str:
        """Wait until `GET /health` is good; the app's Python version, empty if it tells none."""
        status, body = self._until(
            lambda: self._call("GET", "/health"),
            lambda status, body: status == 200 or bool(_bad_settings(status, body)),
        )
        bad = _bad_settings(status, body)
        if bad:
            raise HookError(
                f"The app does not accept its settings: {', '.join(bad)}. Its log says why. "
                "Correct them (docs/settings.md), then azd up."
            )
        if status != 200:
            said = self._patience_is_over("GET /health", status, body)
            raise HookError(f"{said}\n{NO_FUNCTIONS}" if status == 404 else said)
        return str(body.get("python") or "") if isinstance(body, dict) else ""

    def enqueue(self, request: Mapping[str, Any], *, key: str) -> str:
        """The id of the request. A 503 is tried again: what the app needs may still start."""
        # repeated with the same key, an attempt whose answer was lost is not paid twice
        once = {"Idempotency-Key": f"smoke-{uuid.uuid4().hex}"}
        status, body = self._until(
            lambda: self._call("POST", "/producer", key=key, body=request, headers=once),
            lambda status, _: status not in {0, 503},
        )
        if status in {0, 503}:
            ready = self._call("GET", "/health?ready=1")
            raise HookError(
                f"{self._patience_is_over('POST /producer', status, body)}\n"
                f"GET /health?ready=1 answers {ready[0]}: {_told(ready[1])}"
            )
        if status != 202:
            raise HookError(f"POST /producer answered {status}: {_told(body)}")
        return str(body["request_ids"][0])

    def outcome(self, request_id: str, *, key: str) -> dict[str, Any]:
        """The request when it has ended, or as it is when patience is over."""
        path = f"/response/{request_id}"
        status, body = self._until(
            lambda: self._call("GET", path, key=key),
            lambda status, body: status == 200 and body["state"] in FINAL,
        )
        if status != 200:
            raise HookError(self._patience_is_over(f"GET {path}", status, body))
        return dict(body)

    def _until(
        self, ask: Callable[[], tuple[int, Any]], good: Callable[[int, Any], bool]
    ) -> tuple[int, Any]:
        """The first good answer, or the last one when patience is over."""
        ends = self._clock() + self.patience
        while True:
            status, body = ask()
            if good(status, body) or self._clock() >= ends:
                return status, body
            self._sleep(self._pause)

    def _patience_is_over(self, call: str, status: int, body: Any) -> str:
        return f"After {self.patience:.0f} s {call} still answers {status}: {_told(body)}"

    def _call(
        self,
        method: str,
        path: str,
        *,
        key: str = "",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """(status, body); status 0 where no answer came."""
        request = urllib.request.Request(  # noqa: S310 - the address is an output of ours
            self._address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                **({"x-functions-key": key} if key else {}),
                **(headers or {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return response.status, _parsed(response.read())
        except urllib.error.HTTPError as error:
            return error.code, _parsed(error.read())
        except OSError as error:
            return 0, str(error)


def _bad_settings(status: int, body: Any) -> list[str]:
    """Names of the settings that `/health` complains of."""
    error = body.get("error") if isinstance(body, dict) else None
    if status != 503 or not isinstance(error, dict) or error.get("code") != "bad_settings":
        return []
    names = [str(one.get("setting")) for one in error.get("details") or []]
    return names or [str(error.get("message"))]


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")[:500]


def _told(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
