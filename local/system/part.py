"""One part of the local system: a child process with a log, which says when it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.system.errors import PartDied, SystemFailed
from local.system.processes import kill_group, kill_tree

GUARD = Path(__file__).with_name("guard.py")

READY = re.compile(r"^ready (\S+)", re.MULTILINE)
"""What our own parts print when they accept connections."""

READY_SECONDS = 60.0
"""A cold start on a loaded machine with two cores stays well under this."""

LOOK_SECONDS = 0.02
"""How often the log is read while a part starts."""

TAIL_LINES = 15


class Part:
    """A child process in a process group of its own, so that Ctrl-C reaches only the supervisor.

    Its output goes straight to a file and not through a pipe: a busy supervisor cannot stall it,
    and the log is there to read whatever happens.
    """

    def __init__(
        self,
        *,
        name: str,
        command: Sequence[str],
        log: Path,
        environ: Mapping[str, str],
        cwd: Path,
        ready: re.Pattern[str] = READY,
        signal_when_orphaned: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        self.url = ""
        """Where it listens, once it is ready."""
        self.expected_to_end = False
        self.command = list(command)
        self.environ = dict(environ)
        self._cwd = cwd
        self._ready = ready
        self.signal_when_orphaned = signal_when_orphaned
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise SystemFailed(f"{self.name} has not been started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return None if self._process is None else self._process.returncode

    async def start(self, *, within: float = READY_SECONDS) -> None:
        """Start it and wait for its ready line.

        Raises PartDied if it ends before, SystemFailed if it is not ready after `within` seconds.
        """
        self.expected_to_end = False
        self.log.parent.mkdir(parents=True, exist_ok=True)
        guard = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid())]
        with self.log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *guard,
                str(int(self.signal_when_orphaned)),
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environ,
                cwd=self._cwd,
                process_group=0,
            )
        try:
            async with asyncio.timeout(within):
                await self._wait_until_ready()
        except TimeoutError:
            self.kill()
            raise SystemFailed(
                f"{self.name} was not ready after {within:.0f} s:\n{self.tail()}"
            ) from None
        except BaseException:
            self.kill()
            raise

    async def _wait_until_ready(self) -> None:
        while True:
            ended = self.returncode is not None  # asked first: a last word may follow the look
            match = self._ready.search(self.log.read_text(errors="replace"))
            if match:
                self.url = match.group(1).rstrip("/")
                return
            if ended:
                raise self.died()
            await asyncio.sleep(LOOK_SECONDS)

    def died(self) -> PartDied:
        """The error that says how it ended."""
        code = self.returncode
        how = f"exit code {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-code).name
        return PartDied(f"{self.name} ended ({how}):\n{self.tail()}\nThe whole log: {self.log}")

    def tail(self) -> str:
        """The end of its log, indented."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines)

    async def wait(self) -> int:
        """Wait until it has ended; its return code, negative for a signal."""
        if self._process is None:
            raise SystemFailed(f"{self.name} has not been started")
        return await self._process.wait()

    async def stop(self, *, grace: float) -> bool:
        """SIGTERM, and SIGKILL after `grace` seconds; whether it ended by itself."""
        self.expected_to_end = True
        if self._process is None or self.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), grace)
        except TimeoutError:
            self.kill()
            await self._process.wait()
            return False
        finally:
            kill_group(self._process.pid)  # a child that outlived it would keep its port
        return True

    def kill(self) -> None:
        """SIGKILL to it and everything it has started, as a crash of the machine would."""
        self.expected_to_end = True
        if self._process is not None and self.returncode is None:
            kill_tree(self._process.pid)
            kill_group(self._process.pid)
