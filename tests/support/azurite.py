"""Azurite, Microsoft's emulator of a storage account, for the tests that need blobs."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "local" / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob"
START_SECONDS = 30.0

STORAGE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""Azurite's account key: published by Microsoft, the same everywhere, no secret."""


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connection_string(port: int) -> str:
    return (
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
        f"AccountKey={STORAGE_KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )


@asynccontextmanager
async def azurite() -> AsyncIterator[str]:
    """A blob service in memory; its connection string."""
    node = shutil.which("node") or str(Path(sys.prefix) / "bin" / "node")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(node, str(SCRIPT / "main.js"), "--blobPort", str(port)),
        *("--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            while b"successfully listens" not in (line := await process.stdout.readline()):
                # without a line it has ended: to ask again would never wait, nor time out
                assert line, f"Azurite did not start: is it installed in {SCRIPT.parents[3]}?"
        yield connection_string(port)
    finally:
        process.terminate()
        await process.wait()
