"""``python -m local.emulators.forward PORT HOST PORT``: a TCP port here is one of another machine.

Cosmos DB's emulator sends its clients to ``localhost:8081``. A container that shares another's
network finds it there by this.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence

CHUNK_BYTES = 64 * 1024


class Forwarder:
    """``async with Forwarder(0, host, port) as forwarder:`` listens on loopback at ``port``."""

    def __init__(self, port: int, target_host: str, target_port: int) -> None:
        self.port = port
        self._target = (target_host, target_port)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Forwarder:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._forward(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            try:
                there_reader, there_writer = await asyncio.open_connection(*self._target)
            except OSError as error:
                print(f"{self._target[0]}:{self._target[1]}: {error}", file=sys.stderr)
                return
            with contextlib.closing(there_writer):
                await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends, and that it ended."""
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(CHUNK_BYTES):
            sink.write(chunk)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


async def _serve(port: int, target_host: str, target_port: int) -> None:
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    async with Forwarder(port, target_host, target_port) as forwarder:
        print(f"ready 127.0.0.1:{forwarder.port} -> {target_host}:{target_port}", flush=True)
        await stopping.wait()


def main(arguments: Sequence[str]) -> None:
    """Forward until a signal."""
    port, target_host, target_port = arguments
    asyncio.run(_serve(int(port), target_host, int(target_port)))


if __name__ == "__main__":
    main(sys.argv[1:])
