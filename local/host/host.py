"""Builds a host out of its parts, starts them, and stops them in the right order."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
from azure.storage.blob.aio import BlobServiceClient

from local.host.admin import Admin
from local.host.bindings import (
    EventHubTrigger,
    FunctionDefinition,
    HttpTrigger,
    TimerTrigger,
    read_functions,
)
from local.host.connections import (
    STORAGE,
    checkpoint_store,
    consumer_client,
    storage_client,
    transport,
)
from local.host.errors import RefusedError
from local.host.event_hub_listener import CHECKPOINT_CONTAINER, EventHubListener
from local.host.host_json import load_host_json
from local.host.http_front import HttpFront
from local.host.http_server import HttpServer
from local.host.invoker import Invoker, Outcome, TriggerInput
from local.host.keys import Keys, load_keys
from local.host.leases import HOSTS_CONTAINER, BlobLease, keep
from local.host.options import HostOptions
from local.host.outputs import CosmosOutputs
from local.host.routes import RouteTable, build_route
from local.host.settings import load_settings
from local.host.timers import BlobMonitor, SystemClock, TimerListener
from local.host.worker_process import WorkerProcess
from local.host.worker_slot import WorkerSlot

log = logging.getLogger("host")

HTTP_WORKER = "http"
"""Label of the worker that HTTP functions share when isolating."""


class FunctionsHost:
    """One host: `async with FunctionsHost(options) as host`, then `host.url` and `host.keys`."""

    keys: Keys
    url: str

    def __init__(self, options: HostOptions) -> None:
        self._options = options
        self._app = options.app.resolve()
        self._settings = load_settings(options.settings, options.environment)
        self._host_json = load_host_json(self._app / "host.json")
        self._sockets = Path(tempfile.mkdtemp(prefix="functions-"))
        self._slots: dict[str, WorkerSlot] = {}
        self._functions: dict[str, FunctionDefinition] = {}
        self._outputs = CosmosOutputs(self._settings)
        self._storage: BlobServiceClient | None = None
        self._hubs: list[EventHubListener] = []
        self._timers: list[TimerListener] = []
        self._leases: list[BlobLease] = []
        self._stores: list[BlobCheckpointStore] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._state = "Starting"
        self._server: HttpServer | None = None
        self._invoker: Invoker | None = None

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
        listening = self._bind()
        first = WorkerSlot("first", self._launch)
        self._slots["first"] = first
        worker = await first.start()
        found = read_functions(worker.functions, self._settings)
        self._functions = {function.name: function for function in found}
        slots = await self._place(first)
        self._outputs.prepare(found)
        self.keys = load_keys(
            self._options.keys_path, [f.name for f in found if isinstance(f.trigger, HttpTrigger)]
        )
        invoker = self._invoker = Invoker(
            slots=slots,
            outputs=self._outputs,
            timeout_seconds=self._host_json.function_timeout_seconds,
        )
        routes = RouteTable(self._routes())
        for first_function, other in routes.overlaps():
            log.warning(
                "routes overlap; as in Azure, the first by name gets what both match",
                extra={"first": first_function, "other": other},
            )
        front = HttpFront(
            functions=self._functions,
            routes=routes,
            keys=self.keys,
            invoker=invoker,
            admin=Admin(
                keys=self.keys,
                reports={"/admin/host/status": self.status, "/admin/functions": self._listing},
            ),
        )
        await self._prepare_triggers(invoker)
        self._server = HttpServer(front, listening, self._options.grace_seconds)
        await self._server.begin()
        for hub in self._hubs:
            hub.start()
        self._tasks += [asyncio.create_task(timer.run()) for timer in self._timers]
        self._tasks += [asyncio.create_task(keep(lease)) for lease in self._leases]
        self._state = "Running"
        log.info("host started", extra={"url": self.url, "functions": len(found)})

    async def stop(self, *, grace_seconds: float | None = None) -> None:
        """Drain: take nothing new, let running functions end, checkpoint nothing of them."""
        grace = self._options.grace_seconds if grace_seconds is None else grace_seconds
        self._state = "Stopping"
        for hub in self._hubs:
            hub.quiesce()
        for timer in self._timers:
            timer.quiesce()
        if self._invoker is not None:
            self._invoker.drain()
        for slot in self._slots.values():
            await slot.drain()
        try:
            await asyncio.wait_for(self._idle(), max(grace, 0.01))
        except TimeoutError:
            log.warning("functions still run after the grace period; their workers are stopped")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(hub.close() for hub in self._hubs), return_exceptions=True)
        await asyncio.gather(*(lease.release() for lease in self._leases), return_exceptions=True)
        await asyncio.gather(*(slot.stop() for slot in self._slots.values()))
        if self._server is not None:
            await self._server.close()
        await self._outputs.close()
        for store in self._stores:
            await store.close()
        if self._storage is not None:
            await self._storage.close()
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
                for slot in self._slots.values()
            ],
            "partitions": {hub.function: hub.partitions for hub in self._hubs},
            "timers": [timer.function for timer in self._timers if timer.held],
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
        """Which worker runs which function; the first, which indexed the app, takes the first."""
        labels = {name: self._label(function) for name, function in self._functions.items()}
        by_label: dict[str, WorkerSlot] = {}
        for label in dict.fromkeys(labels.values()):
            if by_label:
                by_label[label] = WorkerSlot(label, self._launch)
            else:
                first.label = label
                by_label[label] = first
        self._slots = by_label
        await asyncio.gather(*(slot.start() for slot in by_label.values() if slot is not first))
        return {name: by_label[label] for name, label in labels.items()}

    def _label(self, function: FunctionDefinition) -> str:
        if not self._options.isolate:
            return "all"
        return HTTP_WORKER if isinstance(function.trigger, HttpTrigger) else function.name

    def _routes(self) -> Iterator[Any]:
        for function in self._functions.values():
            if isinstance(function.trigger, HttpTrigger):
                yield build_route(
                    function=function.name,
                    template=function.trigger.route,
                    methods=function.trigger.methods,
                    prefix=self._host_json.route_prefix,
                )

    async def _prepare_triggers(self, invoker: Invoker) -> None:
        """Build the listeners; a connection that is missing stops the start."""
        for function in self._functions.values():
            if isinstance(function.trigger, EventHubTrigger):
                self._hubs.append(await self._hub(function, function.trigger, invoker))
            elif isinstance(function.trigger, TimerTrigger):
                self._timers.append(await self._timer(function, function.trigger, invoker))

    async def _container(self, name: str) -> BlobServiceClient:
        if self._storage is None:
            self._storage = storage_client(self._settings)
        try:
            await self._storage.create_container(name)
        except ResourceExistsError:
            pass
        except (AzureError, OSError) as error:
            raise RefusedError(
                f"the storage account of the app setting {STORAGE} does not answer: {error}"
            ) from error
        return self._storage

    async def _hub(
        self, function: FunctionDefinition, trigger: EventHubTrigger, invoker: Invoker
    ) -> EventHubListener:
        await self._container(CHECKPOINT_CONTAINER)
        store = checkpoint_store(self._settings, CHECKPOINT_CONTAINER)
        self._stores.append(store)
        consumer = consumer_client(
            trigger,
            self._settings,
            checkpoint_store=store,
            load_balancing_interval=self._options.balance_seconds,
            partition_ownership_expiration_interval=self._options.ownership_expiry_seconds,
            transport_type=transport(self._host_json.event_hubs.websockets),
        )

        async def invoke(data: TriggerInput, abandoned: asyncio.Event) -> Outcome:
            return await invoker.run(function, data, abandoned=abandoned)

        return EventHubListener(
            function=function.name,
            trigger=trigger,
            options=self._host_json.event_hubs,
            consumer=consumer,
            invoke=invoke,
        )

    async def _timer(
        self, function: FunctionDefinition, trigger: TimerTrigger, invoker: Invoker
    ) -> TimerListener:
        storage = await self._container(HOSTS_CONTAINER)
        name = f"locks/{self._host_id}/Host.Functions.{function.name}.Listener"
        lease = BlobLease(storage, name)
        self._leases.append(lease)
        never = asyncio.Event()

        async def invoke(data: TriggerInput) -> Outcome:
            return await invoker.run(function, data, abandoned=never)

        return TimerListener(
            function=function.name,
            trigger=trigger,
            lock=lease,
            monitor=BlobMonitor(storage, host_id=self._host_id, function=function.name),
            invoke=invoke,
            clock=SystemClock(),
        )

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
        for hub in self._hubs:
            await hub.idle()
