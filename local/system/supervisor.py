"""Starts the parts in order, watches them, stops them in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from local.system.commands import Commands, Keys, settings_file
from local.system.data import forget, hold
from local.system.errors import PartDied, SystemFailed
from local.system.options import Options
from local.system.part import Part
from local.system.ports import require_free
from local.system.processes import children, kill_tree
from local.system.settings import app_settings
from ptu_optimizer.background import end

T = TypeVar("T")

CLEAN_UP_SECONDS = 30.0
"""How long `main` may clean up after it was cancelled, before it is cancelled again."""

_log = logging.getLogger(__name__)


class LocalSystem:
    """The whole system on loopback, from `__aenter__` to `__aexit__`.

    Raises SystemFailed when entered if a port is taken or a part does not come up, and PartDied
    when left if a part ended that nobody had stopped. Hosts are numbered from 0 in the order in
    which they were started; a number is not used again.
    """

    def __init__(self, options: Options | None = None, *, commands: Commands | None = None) -> None:
        self.options = options or Options()
        self.settings = app_settings(self.options)
        """The app settings that every host was started with."""
        self.hosts: list[Part] = []
        self._commands = commands or Commands()
        self._azurite: Part | None = None
        self._servers: list[Part] = []
        self._watchers: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[PartDied] | None = None
        self._temporary = tempfile.TemporaryDirectory(prefix="ptu-local-")
        self._held = contextlib.ExitStack()
        self._keys: Keys | None = None

    # -- where things are ----------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The oldest host that runs."""
        return self.running_hosts()[0].url

    @property
    def settings_file(self) -> Path:
        """The hosts' local.settings.json."""
        return settings_file(self.options.data or Path(self._temporary.name))

    @property
    def keys(self) -> Keys:
        """The keys that every host accepts."""
        if self._keys is None:
            raise SystemFailed("the local system has not been started")
        return self._keys

    @property
    def ptu_url(self) -> str:
        """The simulated Azure OpenAI resource and its control API."""
        return f"http://127.0.0.1:{self.options.ports.ptu}"

    def running_hosts(self) -> list[Part]:
        running = [host for host in self.hosts if host.returncode is None]
        if not running:
            raise SystemFailed("no Functions host is running")
        return running

    def parts(self) -> list[Part]:
        """Everything that was started, hosts last."""
        first = [self._azurite] if self._azurite else []
        return [*first, *self._servers, *self.hosts]

    # -- life ----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        hosts = self.options.hosts + self.options.further_hosts
        require_free(self.options.ports, hosts=hosts)
        self._failed = asyncio.get_running_loop().create_future()
        try:
            if self.options.data is not None:
                self._held.enter_context(hold(self.options.data))
                if self.options.fresh:
                    forget(self.options.data)
            folder = self.options.data or Path(self._temporary.name)
            self._keys = self._commands.write_keys(folder)
            self._commands.write_settings(folder, self.settings)
            self._azurite = self._commands.azurite(self.options)
            self._servers = self._commands.servers(self.options)
            await self._start_all([self._azurite, *self._servers])
            self.hosts = [
                self._commands.host(self.options, index=index, folder=folder)
                for index in range(self.options.hosts)
            ]
            await self._start_all(self.hosts)
        except BaseException:
            await self._stop_all()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop_all()
        if error is None and self._failed is not None and self._failed.done():
            raise self._failed.result()

    async def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main`, but raise PartDied at once if a part ends that nobody has stopped."""
        task = asyncio.create_task(main)
        failure = asyncio.create_task(self.wait_failed())
        try:
            await asyncio.wait([task, failure], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise failure.result()
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(
                end(task, log=_log, grace=CLEAN_UP_SECONDS), end(failure, log=_log)
            )

    async def wait_failed(self) -> PartDied:
        """Wait until a part ends that nobody has stopped; the error that says so."""
        return await asyncio.shield(self._require_failed())

    # -- faults --------------------------------------------------------------------------------

    async def kill_host(self, index: int) -> None:
        """kill -9 to a host's listener and all its workers."""
        host = self.hosts[index]
        host.kill()
        await host.wait()

    async def stop_host(self, index: int) -> bool:
        """SIGTERM to a host, which drains; whether it ended within its grace."""
        return await self.hosts[index].stop(grace=self._host_grace)

    async def start_host(self, *, settings: Mapping[str, str] | None = None) -> int:
        """Start one more host; its number. `settings` change the app settings from now on."""
        index = len(self.hosts)
        folder = self.options.data or Path(self._temporary.name)
        if settings:
            self.settings |= settings
            self._commands.write_settings(folder, self.settings)
        host = self._commands.host(self.options, index=index, folder=folder)
        self.hosts.append(host)
        await self._start_all([host])
        return index

    async def kill_worker(self, index: int) -> list[int]:
        """kill -9 to the workers of a host and not to its listener; their process ids.

        Raises SystemFailed if the listener has no worker just now.
        """
        workers = children(self.hosts[index].pid)
        if not workers:
            raise SystemFailed(f"{self.hosts[index].name} has no worker process to kill")
        for worker in workers:
            kill_tree(worker)
        return workers

    # -- inside --------------------------------------------------------------------------------

    async def _start_all(self, parts: list[Part]) -> None:
        failed: list[BaseException] = []
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(part.start())
        except* SystemFailed as errors:
            failed += errors.exceptions
        if failed:
            raise failed[0]  # not above: Python 3.11.2 makes a group of what is raised there
        for part in parts:
            watcher = asyncio.create_task(self._watch(part))
            self._watchers.add(watcher)
            watcher.add_done_callback(self._watchers.discard)

    async def _watch(self, part: Part) -> None:
        await part.wait()
        failed = self._require_failed()
        if not part.expected_to_end and not failed.done():
            failed.set_result(part.died())

    async def _stop_all(self) -> None:
        """Hosts while everything they need is still there, the servers, then Azurite."""
        grace = self.options.part_grace_seconds
        try:
            await asyncio.gather(*(host.stop(grace=self._host_grace) for host in self.hosts))
            await asyncio.gather(*(server.stop(grace=grace) for server in self._servers))
            if self._azurite:
                await self._azurite.stop(grace=grace)
        finally:
            for part in self.parts():
                part.kill()  # for those still there when stopping was itself interrupted
            for watcher in list(self._watchers):
                watcher.cancel()
            self._temporary.cleanup()
            self._held.close()

    @property
    def _host_grace(self) -> float:
        """Time to drain, and as much as any part has to end after that."""
        return self.options.host_grace_seconds + self.options.part_grace_seconds

    def _require_failed(self) -> asyncio.Future[PartDied]:
        if self._failed is None:
            raise SystemFailed("the local system has not been started")
        return self._failed
