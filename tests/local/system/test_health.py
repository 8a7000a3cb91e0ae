"""A system whose app cannot work with its settings says so when it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from local.system.errors import SystemFailed
from local.system.health import require_good_settings
from local.system.part import Part
from ptu_optimizer.errors import BadSettings


class Host(Part):
    """A host that has been started elsewhere."""

    def __init__(self, url: str, log: Path) -> None:
        super().__init__(name="host-0", command=[], log=log, environ={}, cwd=log.parent)
        self.url = url


async def host_that_answers(status: int, body: object, folder: Path) -> tuple[web.AppRunner, Host]:
    async def health(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_get("/health", health)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    log = folder / "host.log"
    log.write_text("MAX_ITEMS is malformed; it should be the most items\n")
    return runner, Host(f"http://127.0.0.1:{runner.addresses[0][1]}", log)


async def test_a_healthy_host_is_left_alone(tmp_path: Path) -> None:
    runner, host = await host_that_answers(200, {"status": "ok"}, tmp_path)
    await require_good_settings(host)
    await runner.cleanup()


async def test_bad_settings_are_named_with_the_end_of_the_log(tmp_path: Path) -> None:
    body = BadSettings(["MAX_ITEMS"]).body()
    runner, host = await host_that_answers(503, body, tmp_path)
    with pytest.raises(SystemFailed, match="not usable: MAX_ITEMS") as raised:
        await require_good_settings(host)
    assert "it should be the most items" in str(raised.value)
    await runner.cleanup()
