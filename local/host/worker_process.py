"""One Python worker process, seen from the listener."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.host.errors import HostError, RefusedError, WorkerLostError
from local.host.protocol import READ_LIMIT, Kind, ProtocolError, encode_frame, read_frame
from local.host.proxy import open_session

log = logging.getLogger("host.worker_process")

START_SECONDS = 60.0
"""How long importing and indexing the app may take; Flex Consumption allows 30 s on a server."""

STOP_SECONDS = 3.0
"""How long a worker may take to exit when told to stop, before it is killed."""

_REPOSITORY = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)


class WorkerProcess:
    """A running worker: invocations go in, results come out, and its end fails what is left."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lifeline: int,
        http_path: Path,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._lifeline = lifeline
        self._pending: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._ended: asyncio.Task[None] | None = None
        self._loss = "the worker process ended"
        self._http_path = http_path
        self.http = open_session(http_path)
        self.functions: list[dict[str, Any]] = []

    @classmethod
    async def launch(
        cls, *, app: Path, environment: Mapping[str, str], sockets: Path
    ) -> WorkerProcess:
        """Start a worker and wait until it has indexed the app; `RefusedError` if it cannot."""
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        http_path = sockets / f"{next(_numbers)}.sock"
        paths = [str(_REPOSITORY), environment.get("PYTHONPATH", "")]
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "local.host.worker", "--app", str(app)),
                *("--control", str(theirs.fileno()), "--lifeline", str(read_end)),
                *("--http", str(http_path)),
                pass_fds=(theirs.fileno(), read_end),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=2,  # stdout is for the host's `ready` line alone
                cwd=app,
                env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            )
        except BaseException:
            ours.close()
            os.close(write_end)
            raise
        finally:
            theirs.close()
            os.close(read_end)
        reader, writer = await asyncio.open_connection(sock=ours, limit=READ_LIMIT)
        worker = cls(process, reader, writer, write_end, http_path)
        try:
            await asyncio.wait_for(worker._index(), START_SECONDS)
        except TimeoutError:
            worker.kill("it took too long to start")
            await worker._collect()
            raise RefusedError(f"the worker did not index the app in {START_SECONDS:g} s") from None
        except BaseException:
            worker.kill("it could not start")
            await worker._collect()
            raise
        worker._ended = asyncio.create_task(worker._receive())
        return worker

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether invocations can still be given to it."""
        return self._ended is not None and not self._ended.done()

    def expect(self, invocation_id: str) -> asyncio.Future[dict[str, Any]]:
        """The result of an invocation about to be given; `WorkerLostError` if the worker ends."""
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if not self.alive:
            future.set_exception(WorkerLostError(self._loss))
        else:
            self._pending[invocation_id] = future
            future.add_done_callback(lambda _: self._pending.pop(invocation_id, None))
        return future

    async def invoke(self, header: Mapping[str, Any], body: list[bytes]) -> dict[str, Any]:
        """Run a triggered function and return the header of its RESULT."""
        future = self.expect(header["id"])
        if not future.done():
            self._writer.write(encode_frame(Kind.INVOKE, header, body))
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()
        return await future

    def kill(self, reason: str) -> None:
        """End the process at once; `reason` is what its invocations fail with."""
        self._loss = f"the worker process was killed: {reason}"
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> None:
        """Return when the process has ended and its invocations have failed."""
        if self._ended is not None:
            await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """Ask the worker to exit, and kill it if it does not."""
        if self.alive:
            with contextlib.suppress(ConnectionError):
                self._writer.write(encode_frame(Kind.STOP))
                await self._writer.drain()
            try:
                await asyncio.wait_for(self.wait(), STOP_SECONDS)
            except TimeoutError:
                self.kill("it did not stop")
        await self.wait()

    async def _index(self) -> None:
        frame = await read_frame(self._reader)
        if frame is None:
            code = await self._process.wait()
            raise RefusedError(f"the worker ended with code {code} before it had indexed the app")
        if frame.kind is Kind.REFUSED:
            log.error("the worker refuses the app", extra={"details": frame.header["traceback"]})
            raise RefusedError(f"the worker refuses the app: {frame.header['error']}")
        if frame.kind is not Kind.READY:
            raise HostError(f"the worker began with {frame.kind.name}")
        self.functions = frame.header["functions"]

    async def _receive(self) -> None:
        try:
            while (frame := await read_frame(self._reader)) is not None:
                future = self._pending.get(frame.header.get("id", ""))
                if future is not None and not future.done():
                    future.set_result(frame.header)
        except ProtocolError as error:
            log.error("the worker does not keep to the protocol", extra={"error": error})
        finally:
            await self._collect()

    async def _collect(self) -> None:
        """Wait for the process's end, then fail what it was running."""
        self._writer.close()
        os.close(self._lifeline)  # a worker that is still alive ends now
        code = await self._process.wait()
        if not self._loss.startswith("the worker process was killed"):
            self._loss = f"the worker process ended with code {code}"
        for future in list(self._pending.values()):
            if not future.done():
                future.set_exception(WorkerLostError(self._loss))
        await self.http.close()
        self._http_path.unlink(missing_ok=True)
