"""A port of this machine that is one of another: bytes pass both ways, and so does the end."""

from __future__ import annotations

import asyncio

from local.emulators.forward import CHUNK_BYTES, Forwarder
from tests.support.azurite import free_port


async def echo_upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer once the other side has said that it is done."""
    writer.write((await reader.read(-1)).upper())
    await writer.drain()
    writer.close()


async def test_what_is_sent_arrives_and_the_answer_comes_back_until_both_have_ended() -> None:
    server = await asyncio.start_server(echo_upper, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sent = b"abc" * CHUNK_BYTES
    async with server, Forwarder(0, "127.0.0.1", port) as forwarder:
        reader, writer = await asyncio.open_connection("127.0.0.1", forwarder.port)
        writer.write(sent)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(-1), 10) == sent.upper()
        writer.close()


async def test_a_target_that_is_away_closes_the_connection_and_the_next_one_is_taken() -> None:
    async with Forwarder(0, "127.0.0.1", free_port()) as forwarder:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", forwarder.port)
            assert await asyncio.wait_for(reader.read(-1), 10) == b""
            writer.close()
