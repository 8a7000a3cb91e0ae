"""Entry of a worker process; only the listener starts it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.host.http_server import AsgiApp, HttpServer
from local.host.logs import configure_logging
from local.host.protocol import READ_LIMIT, Kind, encode_frame, read_frame
from local.host.worker.annotations import http_types
from local.host.worker.http_app import http_app
from local.host.worker.indexing import index_app
from local.host.worker.invocations import Invocations

log = logging.getLogger("host.worker")

KEEP_ALIVE_SECONDS = 3_600
"""Longer than the listener keeps an idle connection, so that it never uses one just closed."""

LARGEST_HEAD = 256 * 1024
"""A request's head. The listener, which has a limit of its own, adds to it."""

ORPHANED = 3
"""Exit code when the listener is gone."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the listener at the other end of `--control` until it says stop, or is gone."""
    parser = argparse.ArgumentParser(prog="python -m local.host.worker", description=__doc__)
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--control", type=int, required=True, help="file descriptor")
    parser.add_argument("--lifeline", type=int, required=True, help="file descriptor")
    parser.add_argument("--http", type=Path, required=True, help="path of a Unix-domain socket")
    options = parser.parse_args(arguments)
    # Ctrl-C goes to the whole process group; the listener decides when its workers stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor in (options.control, options.lifeline):
        os.set_inheritable(descriptor, False)
    threading.Thread(target=_watch, args=(options.lifeline,), daemon=True).start()
    configure_logging()
    asyncio.run(_serve(options.app, socket.socket(fileno=options.control), options.http))
    # Threads of functions that never return must not hold the process.
    logging.shutdown()
    os._exit(0)


def _watch(lifeline: int) -> None:
    """Exit at once when the listener dies: only it holds the other end of the pipe.

    A thread, because a function may be blocking the event loop at that moment.
    """
    os.read(lifeline, 1)
    os._exit(ORPHANED)


async def _serve(app: Path, control: socket.socket, http_path: Path) -> None:
    reader, writer = await asyncio.open_connection(sock=control, limit=READ_LIMIT)
    try:
        functions = index_app(app)
    except Exception as error:
        header = {
            "error": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exc(),
        }
        writer.write(encode_frame(Kind.REFUSED, header))
        await writer.drain()
        sys.exit(1)

    async def report(result: dict[str, Any]) -> None:
        writer.write(encode_frame(Kind.RESULT, result))
        await writer.drain()

    invocations = Invocations(functions, report=report)
    if http_types() is not None:
        await _serve_http(http_app(invocations), http_path)
    reported = [function.reported() for function in functions.values()]
    writer.write(encode_frame(Kind.READY, {"functions": reported}))
    await writer.drain()
    running: set[asyncio.Task[None]] = set()
    while (frame := await read_frame(reader)) is not None and frame.kind is not Kind.STOP:
        task = asyncio.create_task(invocations.run_triggered(frame))
        running.add(task)
        task.add_done_callback(running.discard)
    if frame is None:
        os._exit(ORPHANED)
    for task in running:
        task.cancel()


async def _serve_http(app: AsgiApp, path: Path) -> None:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    await HttpServer(
        app,
        listening,
        date_header=False,  # the listener's server adds it
        forwarded_allow_ips="*",  # only the listener can open this socket
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    ).begin()


if __name__ == "__main__":
    main()
