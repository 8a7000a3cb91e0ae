"""Sends one request through the deployed app and waits for its outcome."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from infra.scripts.tools import HookError, is_true, main, needed, run

REQUEST = {
    "custom_id": "smoke-test",
    "priority": "high",
    "completion_window": "15m",
    "body": {
        "messages": [{"role": "user", "content": "Answer with the one word: ready"}],
        "max_tokens": 16,
    },
}
FINAL = frozenset({"succeeded", "failed", "expired", "cancelled"})

PATIENCE_SECONDS = 600.0
"""For the app to wake, and again for the outcome. After a deployment it restarts, and roles and the
vault's reference take minutes to count; a full PTU makes a request wait."""
PAUSE_SECONDS = 5.0


class App:
    """The deployed app, by HTTP."""

    def __init__(
        self,
        address: str,
        *,
        keys: Mapping[str, str],
        patience: float = PATIENCE_SECONDS,
        pause: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`keys`: by function."""
        self._address = address.rstrip("/")
        self._keys = keys
        self._patience = patience
        self._pause = pause
        self._clock = clock
        self._sleep = sleep

    def wait_until_awake(self) -> None:
        """Raises HookError with what `GET /health?ready=1` said last."""
        self._until("/health?ready=1", lambda status, _: status == 200)

    def enqueue(self) -> str:
        """The id of the request. Raises HookError."""
        status, body = self._call("POST", "/producer", key=self._keys["producer"], body=REQUEST)
        if status != 202:
            raise HookError(f"POST /producer answered {status}: {body}")
        return str(body["request_ids"][0])

    def outcome(self, request_id: str) -> dict[str, Any]:
        """The request once it has ended. Raises HookError with why it still waits."""
        return self._until(
            f"/response/{request_id}",
            lambda status, body: status == 200 and body["state"] in FINAL,
            key=self._keys["response"],
        )

    def _until(
        self,
        path: str,
        good: Callable[[int, Any], bool],
        *,
        key: str = "",
    ) -> dict[str, Any]:
        ends = self._clock() + self._patience
        while True:
            status, body = self._call("GET", path, key=key)
            if good(status, body):
                return dict(body)
            if self._clock() >= ends:
                path = path.partition("?")[0]
                raise HookError(
                    f"After {self._patience:.0f} s GET {path} still answers {status}: {body}"
                )
            self._sleep(self._pause)

    def _call(self, method: str, path: str, *, key: str = "", body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(  # noqa: S310 - the address is an output of ours
            self._address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                **({"x-functions-key": key} if key else {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return response.status, _parsed(response.read())
        except urllib.error.HTTPError as error:
            return error.code, _parsed(error.read())
        except OSError as error:
            return 0, str(error)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")[:500]


def function_key(env: Mapping[str, str], function: str) -> str:
    """The key that opens one function. Raises HookError."""
    group, app = needed(env, "AZURE_RESOURCE_GROUP", "FUNCTION_APP_NAME")
    return run(
        ["az", "functionapp", "function", "keys", "list", "--resource-group", group,
         "--name", app, "--function-name", function, "--query", "default",
         "--output", "tsv", "--only-show-errors"]
    )  # fmt: skip


def hook(env: Mapping[str, str]) -> None:
    if env.get("SMOKE_TEST") and not is_true(env["SMOKE_TEST"]):
        return
    (address,) = needed(env, "FUNCTION_APP_ADDRESS")
    if is_true(env.get("INBOUND_PRIVATE")):
        print("No smoke test: with INBOUND_PRIVATE the app is reached from its network only.")
        return
    keys = {name: function_key(env, name) for name in ("producer", "response")}
    patience = float(env.get("SMOKE_SECONDS") or PATIENCE_SECONDS)
    ended = smoke(App(address, keys=keys, patience=patience))
    print(f"The smoke test's request ended: {ended['state']}, on {ended['deployment']}.")


def smoke(app: App) -> dict[str, Any]:
    """The request of the smoke test when it has succeeded. Raises HookError."""
    app.wait_until_awake()
    request_id = app.enqueue()
    print(f"Sent request {request_id}, waiting for its outcome.")
    ended = app.outcome(request_id)
    if ended["state"] != "succeeded":
        raise HookError(f"The request ended {ended['state']}: {ended.get('error')}")
    return ended


if __name__ == "__main__":
    sys.exit(main(hook))
