"""Sends one request through the deployed app and waits for its outcome."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from infra.scripts.azure import Azure
from infra.scripts.deployed_app import FINAL, App, patience
from infra.scripts.function_keys import wait_for_keys
from infra.scripts.tools import FALSE, HookError, is_true, main, needed

REQUEST = {
    "custom_id": "smoke-test",
    "priority": "high",
    "completion_window": "15m",
    # no limit of tokens: reasoning models refuse max_tokens, and others may not know its successor
    "body": {"messages": [{"role": "user", "content": "Answer with the one word: ready"}]},
}

PYTHON = "3.13"
"""Of infra/app/function-app.bicep."""

FOR_ROOM = (
    "waiting for its turn",
    "another process has the turn to send",
    "which process may send is being agreed",
    "in another process go first",
    "of work are in the deployment",
    "paced at",
    "is at or above the upper limit",
    "calls at a time are under way",
    "nothing is known: one call at a time",
    "has fired",
    "the deployment answered 429",
)
"""What the app says (docs/api.md, "waiting") of a request that waits for room on the deployment.
All other reasons are faults."""


def hook(env: Mapping[str, str]) -> None:
    try:
        _hook(env)
    finally:
        # last, where it is read: an address that is not verified is told nothing
        if env.get("ALERT_EMAIL"):
            print(
                f"Alerts go to {env['ALERT_EMAIL']}. If this address is new to your directory, "
                "Azure sends it a code; enter it within 30 minutes, or the address is told nothing."
            )


def _hook(env: Mapping[str, str]) -> None:
    if env.get("SMOKE_TEST") in FALSE:
        return
    address, subscription = needed(env, "FUNCTION_APP_ADDRESS", "AZURE_SUBSCRIPTION_ID")
    if is_true(env.get("INBOUND_PRIVATE")):
        print("No smoke test: with INBOUND_PRIVATE the app is reached from its network only.")
        return
    app = App(address, patience=patience(env))
    tell_python(app.wake())
    keys = wait_for_keys(env, ("producer", "response"), azure=Azure(subscription))
    smoke(app, keys=keys)


def tell_python(version: str) -> None:
    if not version:
        print("The app is awake.")
        return
    print(f"The app is awake, on Python {version}.")
    if not f"{version}.".startswith(f"{PYTHON}."):
        print(
            f"infra/app/function-app.bicep asks for Python {PYTHON}: the build in Azure took "
            "another one. azd deploy builds it again.",
            file=sys.stderr,
        )


def smoke(app: App, *, keys: Mapping[str, str]) -> None:
    """Send the request and tell what became of it. Raises HookError if that is a fault."""
    request_id = app.enqueue(REQUEST, key=keys["producer"])
    print(f"Sent request {request_id}, waiting for its outcome.", flush=True)
    print(verdict(app.outcome(request_id, key=keys["response"]), patience=app.patience))


def verdict(request: Mapping[str, Any], *, patience: float) -> str:
    """What to tell of a request that works, or waits for room. Raises HookError for a fault."""
    state = request["state"]
    if state == "succeeded":
        return f"The smoke test's request ended: succeeded, on {request['deployment']}."
    why = _why(request)
    room = any(one in why for one in FOR_ROOM)
    if state == "expired" and room:
        return f"The smoke test's request found no room on the deployment in time: {why}"
    if state in FINAL:
        raise HookError(f"The request ended {state}: {why}{_hint(why)}")
    waiting = request.get("waiting") or {}
    if room or waiting.get("projected_seconds") is not None:
        return (
            f"After {patience:.0f} s the smoke test's request still waits for room on the "
            f"deployment: {why}. It is sent when there is room; "
            f"GET /response/{request['request_id']} tells when."
        )
    raise HookError(f"After {patience:.0f} s the request is still {state}: {why}")


def _why(request: Mapping[str, Any]) -> str:
    """The service's own text, or why it waits."""
    if request["state"] in FINAL:
        error = request.get("error")
        return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
    waiting = request.get("waiting") or {}
    return str(waiting.get("why") or "a call is under way")


def _hint(why: str) -> str:
    if "api version" in why.lower().replace("-", " "):
        return (
            "\nIf the model needs another API version: azd env set AZURE_OPENAI_API_VERSION VERSION"
        )
    return ""


if __name__ == "__main__":
    sys.exit(main(hook))
