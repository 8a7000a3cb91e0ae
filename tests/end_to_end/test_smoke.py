"""The smoke test that azd runs after a deployment, on the local system."""

from __future__ import annotations

import asyncio

import pytest

from infra.scripts.smoke import App, smoke
from infra.scripts.tools import HookError
from tests.end_to_end.systems import System

pytestmark = pytest.mark.asyncio(loop_scope="package")


def app(system: System, **keys: str) -> App:
    key = system.local.keys.function
    both = {"producer": key, "response": key, **keys}
    return App(system.local.url, keys=both, patience=30, pause=0.2)


async def test_it_sees_a_request_through(system: System) -> None:
    ended = await asyncio.to_thread(smoke, app(system))
    assert ended["custom_id"] == "smoke-test"
    assert ended["state"] == "succeeded"
    assert ended["response"]["choices"]


async def test_a_wrong_key_is_told(system: System) -> None:
    with pytest.raises(HookError, match="POST /producer answered 401"):
        await asyncio.to_thread(smoke, app(system, producer="wrong"))
