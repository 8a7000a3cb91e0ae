"""The simulator leaves loopback only when it is told that its network is its own."""

from __future__ import annotations

import aiohttp
import pytest

from local.ptu import PtuServer, PtuServerConfig
from local.serving import StartError

CONFIG = PtuServerConfig.from_dict(
    {"deployments": [{"name": "ptu", "model": "gpt-4.1", "ptus": 1}]}
)


async def test_another_address_is_refused_and_the_way_out_is_named() -> None:
    with pytest.raises(StartError, match=r"--host 0.0.0.0: .*--beyond-loopback"):
        await PtuServer(CONFIG, host="0.0.0.0", port=0).start()


async def test_in_a_container_it_listens_wherever_it_is_told() -> None:
    async with (
        PtuServer(CONFIG, host="0.0.0.0", port=0, beyond_loopback=True) as server,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}/_ptu/level") as answer,
    ):
        assert answer.status == 200
