"""The smoke test that azd runs after a deployment, on the local system."""

from __future__ import annotations

import asyncio
import sys

import pytest

from infra.scripts.deployed_app import App
from infra.scripts.smoke import smoke
from infra.scripts.tools import HookError
from tests.end_to_end.systems import System

pytestmark = pytest.mark.asyncio(loop_scope="package")


def app(system: System) -> App:
    return App(system.local.url, patience=30, pause=0.2)


def keys(system: System, **others: str) -> dict[str, str]:
    key = system.local.keys.function
    return {"producer": key, "response": key, **others}


async def test_it_is_told_the_python_that_the_app_runs_on(system: System) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert await asyncio.to_thread(app(system).wake) == version


async def test_it_sees_a_request_through(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(smoke, app(system), keys=keys(system))
    assert "The smoke test's request ended: succeeded" in capsys.readouterr().out


async def test_a_wrong_key_is_told(system: System) -> None:
    with pytest.raises(HookError, match="POST /producer answered 401"):
        await asyncio.to_thread(smoke, app(system), keys=keys(system, producer="wrong"))
