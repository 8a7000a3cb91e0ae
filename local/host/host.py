"""Builds a host out of its parts, starts them, and stops them in the right order."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from local.host.admin import Admin
from local.host.bindings import FunctionDefinition, HttpTrigger, read_functions
from local.host.errors import RefusedError
from local.host.host_json import load_host_json
from local.host.http_front import HttpFront
from local.host.http_server import HttpServer
from local.host.invoker import Invoker
from local.host.keys import Keys, load_keys
from local.host.options import HostOptions
from local.host.outputs import CosmosOutputs
from local.host.routes import Route, RouteTable, build_route
from local.host.settings import load_settings
from local.host.worker_process import WorkerProcess
from local.host.worker_slot import WorkerSlot

if TYPE_CHECKING:
    from local.host.listeners import Listeners

log = logging.getLogger("host")

HTTP_WORKER = "http"
"""Label of the worker that HTTP functions share when isolating."""

SHARED_WORKER = "all"
"""Label of the only worker when not isolating."""


BODY_LIMIT_SETTING = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
"""The app setting that Azure's host has for it."""

BODY_LIMIT_BYTES = 104_857_600
"""The largest body of a request, unless the app setting says otherwise."""


class FunctionsHost:
    """One host: `async with FunctionsHost(options) as host`, then `host.url` and `host.keys`."""

    keys: Keys
    url: str

    def __init__(self, options: HostOptions) -> None:
        self._options = options
        self._app = options.app.resolve()
        self._settings = load_settings(options.settings, options.environment)
        self._host_json = load_host_json(self._app / "host.json")
        self._outputs = CosmosOutputs(self._settings)
        # Short, because the path of a Unix-domain socket may have some hundred characters only.
        self._sockets = Path(tempfile.gettempdir()) / f"functions-{secrets.token_hex(6)}"
        self._listening: socket.socket | None = None
        self._slots: list[WorkerSlot] = []
        self._functions: dict[str, FunctionDefinition] = {}
        self._invoker: Invoker | None = None
        self._listeners: Listeners | None = None
        self._server: HttpServer | None = None
        self._state = "Starting"

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop(grace_seconds=0)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Index the app, check everything, then accept HTTP, events and timers."""
        self._listening = self._bind()
        self._sockets.mkdir(mode=0o700)
        first = WorkerSlot(SHARED_WORKER, self._launch)
        self._slots = [first]
        worker = await first.start()
        found = read_functions(worker.functions, self._settings)
        self._functions = {function.name: function for function in found}
        routes = RouteTable(self._routes())
        self._outputs.prepare(found)
        self.keys = load_keys(self._options.keys_path, [r.function for r in routes.routes])
        invoker = self._invoker = Invoker(
            slots=await self._place(first),
            outputs=self._outputs,
            timeout_seconds=self._host_json.function_timeout_seconds,
        )
        await self._listen(found, invoker)
        front = HttpFront(
            functions=self._functions,
            routes=routes,
            keys=self.keys,
            invoker=invoker,
            body_limit=self._settings.number(BODY_LIMIT_SETTING, default=BODY_LIMIT_BYTES),
            admin=Admin(
                keys=self.keys,
                reports={"/admin/host/status": self.status, "/admin/functions": self._listing},
            ),
        )
        self._server = HttpServer(
            front,
            self._listening,
            proxy_headers=False,
            timeout_keep_alive=65,
            timeout_graceful_shutdown=max(1, int(self._options.grace_seconds)),
        )
        await self._server.begin()
        if self._listeners is not None:
            self._listeners.start()
        self._state = "Running"
        _warn_of_overlaps(routes)
        log.info("host started", extra={"url": self.url, "functions": len(found)})

    async def stop(self, *, grace_seconds: float | None = None) -> None:
        """Drain: take nothing new, let running functions end, checkpoint nothing of them."""
        grace = self._options.grace_seconds if grace_seconds is None else grace_seconds
        self._state = "Stopping"
        # Before anything else, so that no batch that ends from now on is checkpointed.
        if self._listeners is not None:
            self._listeners.quiesce()
        if self._invoker is not None:
            self._invoker.drain()
        for slot in self._slots:
            await slot.drain()
        try:
            await asyncio.wait_for(self._idle(), max(grace, 0.01))
        except TimeoutError:
            log.warning("functions still run after the grace period; their workers are stopped")
        if self._listeners is not None:
            await self._listeners.close()
        await asyncio.gather(*(slot.stop() for slot in self._slots))
        if self._server is not None:
            await self._server.close()
        elif self._listening is not None:
            self._listening.close()
        await self._outputs.close()
        shutil.rmtree(self._sockets, ignore_errors=True)
        log.info("host stopped")

    def status(self) -> dict[str, Any]:
        """The host's state, as `GET /admin/host/status` shows it."""
        return {
            "id": self._host_id,
            "state": self._state,
            "functions": sorted(self._functions),
            "workers": [
                {
                    "worker": slot.label,
                    "pid": slot.worker.pid if slot.worker is not None else None,
                    "restarts": slot.restarts,
                }
                for slot in self._slots
            ],
            "partitions": self._listeners.partitions() if self._listeners else {},
            "timers": self._listeners.timers() if self._listeners else [],
            "in_flight": [
                {"id": run.id, "function": run.function, "started": run.started}
                for run in (self._invoker.in_flight.values() if self._invoker else ())
            ],
        }

    @property
    def _host_id(self) -> str:
        """Hosts with the same id share timer locks; Azure derives it from the app's name."""
        configured = self._settings.get("AzureFunctionsWebHost__hostid")
        return configured or hashlib.sha256(str(self._app).encode()).hexdigest()[:32]

    def _bind(self) -> socket.socket:
        address, port = self._options.address, self._options.port
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((address, port))
        except OSError as error:
            listening.close()
            raise RefusedError(f"--port: cannot listen on {address}:{port}: {error}") from None
        shown = f"[{address}]" if ":" in address else address
        self.url = f"http://{shown}:{listening.getsockname()[1]}"
        return listening

    async def _launch(self) -> WorkerProcess:
        return await WorkerProcess.launch(
            app=self._app, environment=self._settings.values, sockets=self._sockets
        )

    async def _place(self, first: WorkerSlot) -> dict[str, WorkerSlot]:
        """Which worker runs which function; the one that indexed the app takes the first group."""
        labels = {name: self._label(function) for name, function in self._functions.items()}
        by_label: dict[str, WorkerSlot] = {}
        for label in dict.fromkeys(labels.values()):
            slot = WorkerSlot(label, self._launch) if by_label else first
            slot.label = label
            by_label[label] = slot
        self._slots = list(by_label.values())
        await asyncio.gather(*(slot.start() for slot in self._slots[1:]))
        return {name: by_label[label] for name, label in labels.items()}

    def _label(self, function: FunctionDefinition) -> str:
        if not self._options.isolate:
            return SHARED_WORKER
        return HTTP_WORKER if isinstance(function.trigger, HttpTrigger) else function.name

    def _routes(self) -> Iterator[Route]:
        for function in self._functions.values():
            if isinstance(function.trigger, HttpTrigger):
                yield build_route(
                    function=function.name,
                    template=function.trigger.route,
                    methods=function.trigger.methods,
                    prefix=self._host_json.route_prefix,
                )

    async def _listen(self, functions: Sequence[FunctionDefinition], invoker: Invoker) -> None:
        if all(isinstance(function.trigger, HttpTrigger) for function in functions):
            return
        from local.host.listeners import Listeners

        self._listeners = Listeners(
            options=self._options,
            event_hubs=self._host_json.event_hubs,
            settings=self._settings,
            host_id=self._host_id,
            invoker=invoker,
        )
        await self._listeners.prepare(functions)

    def _listing(self) -> list[dict[str, Any]]:
        """The functions, as `GET /admin/functions` shows them."""
        return [
            {
                "name": function.name,
                "trigger": type(function.trigger).__name__,
                "language": "python",
                "isDisabled": False,
            }
            for function in self._functions.values()
        ]

    async def _idle(self) -> None:
        if self._server is not None:
            await self._server.drain()
        if self._invoker is not None:
            await self._invoker.idle()
        if self._listeners is not None:
            await self._listeners.idle()


def _warn_of_overlaps(routes: RouteTable) -> None:
    for first, other in routes.overlaps():
        log.warning(
            "routes overlap; as in Azure, the first by name gets what both match",
            extra={"first": first, "other": other},
        )
