"""The keys of single functions, by Azure's REST API.

`az functionapp function keys list` of CLI 2.87.0 prints nothing and ends with exit code 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from infra.scripts.azure import Azure, Failed, NotFound
from infra.scripts.tools import HookError, needed

TRIES = 30
PAUSE_SECONDS = 10.0
"""A function has a key once the host runs and can read its storage: minutes after the code came."""
WEB_API = "2024-11-01"


class NoKey(HookError):
    """The answer has no key."""


def function_key(env: Mapping[str, str], function: str, *, azure: Azure) -> str:
    """The key that opens one function. Raises NoKey or AzureError."""
    group, app = needed(env, "AZURE_RESOURCE_GROUP", "FUNCTION_APP_NAME")
    answer = azure.rest(
        "post",
        f"/subscriptions/{azure.subscription}/resourceGroups/{group}/providers/Microsoft.Web"
        f"/sites/{app}/functions/{function}/listkeys",
        api_version=WEB_API,
    )
    key = answer.get("default") if isinstance(answer, dict) else None
    if not key:
        # an empty key would be sent as none, and the app would answer 401
        raise NoKey(f"Azure tells no key of the function {function}.")
    return str(key)


def wait_for_keys(
    env: Mapping[str, str],
    functions: Sequence[str],
    *,
    azure: Azure,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, str]:
    """The key of each function. Raises HookError with what was said last."""
    tries_left = TRIES
    keys: dict[str, str] = {}
    for function in functions:
        while function not in keys:
            tries_left -= 1
            try:
                keys[function] = function_key(env, function, azure=azure)
            except (NoKey, NotFound, Failed):
                # no right, or no login: that does not come by waiting
                if tries_left <= 0:
                    raise
                if tries_left == TRIES - 1:
                    print(f"Waiting for the key of the function {function}.")
                sleep(PAUSE_SECONDS)
    return keys
