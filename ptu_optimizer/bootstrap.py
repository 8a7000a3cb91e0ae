"""The composition root: builds each client once per process and hands it to who needs it.

The only module that imports `settings` and `adapters`. Nothing is connected at import: clients are
built at the first use, on the worker's event loop, so that a cold start pays for nothing it does
not need.
"""

from __future__ import annotations

import os
import secrets
import socket
from functools import cache, cached_property
from typing import TYPE_CHECKING

from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.storage.blob.aio import BlobServiceClient

from .adapters.blobs import AzureBlobStore, blob_client
from .adapters.cosmos import (
    CosmosCapacityStore,
    CosmosGroupStore,
    CosmosLedgerStore,
    cosmos_client,
)
from .adapters.event_hubs import EventHubs
from .adapters.identity import Identity
from .capacity.admission import SlowDown, SlowDownLimits
from .capacity.gauge import Gauge
from .clock import Clock, SystemClock
from .requests.attempt import Attempts
from .requests.deferral import PublishedMemory
from .requests.dispatcher import Dispatcher
from .requests.exchange import ReadingExchange
from .requests.gate import Gate
from .requests.health import Health
from .requests.ids import IdMint
from .requests.inputs import Inputs
from .requests.intake import Intake, IntakeLimits
from .requests.lane import Lane
from .requests.model import ItemRules
from .requests.outcomes import OutcomeWriter
from .requests.records import Ledger
from .requests.status import RequestStatus
from .requests.sweep import Sweep
from .requests.timing import Timing
from .requests.tokens import TokenEstimator
from .requests.watermark import Watermark
from .settings import Settings, load_settings
from .telemetry import quiet_sdks

if TYPE_CHECKING:
    from .adapters.azure_monitor import AzureMonitor


class Application:
    """Every use case of this process, each built when it is first asked for."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock or SystemClock()
        # names this process in readings and attempts
        self._worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"

    # --- use cases -------------------------------------------------------------------------------

    @cached_property
    def intake(self) -> Intake:
        s = self.settings
        return Intake(
            mint=self._mint,
            groups=self._groups,
            blobs=self._blobs,
            publisher=self._hubs,
            rules=ItemRules(
                deployments=frozenset(d.name for d in s.deployments),
                default_deployment=s.deployments[0].name,
                default_deadline_seconds=s.default_deadline_seconds,
                longest_deadline_seconds=s.hub_retention_seconds,
            ),
            limits=IntakeLimits(
                max_items=s.max_items,
                max_body_bytes=s.max_body_bytes,
                soon_seconds=s.soon_seconds,
                hub_retention_seconds=s.hub_retention_seconds,
            ),
            clock=self._clock,
            timing=self._timing,
        )

    @cached_property
    def status(self) -> RequestStatus:
        return RequestStatus(
            mint=self._mint,
            ledger=self._ledger,
            blobs=self._blobs,
            clock=self._clock,
            timing=self._timing,
        )

    @cached_property
    def dispatcher(self) -> Dispatcher:
        # a quarter of a cold start, and HTTP functions and timers never need it
        from .adapters.azure_openai import AzureOpenAICaller, openai_client

        s = self.settings
        outcomes = OutcomeWriter(
            ledger=self._ledger,
            blobs=self._blobs,
            publisher=self._hubs,
            clock=self._clock,
            timing=self._timing,
        )
        caller = AzureOpenAICaller(
            openai_client(
                endpoint=s.azure_openai_endpoint,
                api_key=_secret(s.azure_openai_api_key),
                api_version=s.azure_openai_api_version,
                identity=self._identity,
                connections=s.max_concurrent_calls * len(s.deployments),
            )
        )
        return Dispatcher(
            mint=self._mint,
            lanes=self._lanes,
            attempts=Attempts(
                ledger=self._ledger,
                outcomes=outcomes,
                caller=caller,
                clock=self._clock,
                timing=self._timing,
                max_failures=s.max_failures,
                worker=self._worker,
            ),
            outcomes=outcomes,
            ledger=self._ledger,
            inputs=self._inputs,
            estimator=TokenEstimator(),
            publisher=self._hubs,
            memory=PublishedMemory(clock=self._clock, timing=self._timing),
            exchange=ReadingExchange(
                gates={name: lane.gate for name, lane in self._lanes.items()},
                store=CosmosCapacityStore(self._container("capacity")),
                clock=self._clock,
                worker=self._worker,
                interval_seconds=s.reading_exchange_seconds,
            ),
            clock=self._clock,
            timing=self._timing,
            worker=self._worker,
        )

    @cached_property
    def sweep(self) -> Sweep:
        return Sweep(
            mint=self._mint,
            groups=self._groups,
            store=self._ledger_store,
            ledger=self._ledger,
            inputs=self._inputs,
            publisher=self._hubs,
            watermark=Watermark(
                groups=self._groups,
                hubs=self._hubs,
                publisher=self._hubs,
                clock=self._clock,
                timing=self._timing,
            ),
            clock=self._clock,
            timing=self._timing,
            longest_deadline_seconds=self.settings.hub_retention_seconds,
            pause_seconds=SWEEP_PAUSE_SECONDS,
        )

    @cached_property
    def monitor(self) -> AzureMonitor:
        from .adapters.azure_monitor import AzureMonitor

        s = self.settings
        return AzureMonitor(
            endpoint=s.azure_monitor_endpoint,
            resource_id=s.azure_openai_resource_id,
            deployments=[d.name for d in s.deployments],
            identity=self._identity,
        )

    @cached_property
    def health(self) -> Health:
        return Health(
            checks={
                "event_hubs": lambda: self._hubs.ping("requests"),
                "cosmos": self._groups.ping,
                "blobs": self._blobs.ping,
            }
        )

    def now(self) -> float:
        return self._clock.now()

    # --- parts -----------------------------------------------------------------------------------

    @cached_property
    def _timing(self) -> Timing:
        s = self.settings
        return Timing(
            call_limit=s.call_limit_seconds,
            write_budget=s.write_budget_seconds,
            skew=s.skew_seconds,
            hold=s.hold_seconds,
            invocation_budget=s.invocation_budget_seconds,
        )

    @cached_property
    def _mint(self) -> IdMint:
        return IdMint(self.settings.request_id_key.get_secret_value().encode())

    @cached_property
    def _identity(self) -> Identity:
        return Identity(client_id=self.settings.azure_client_id)

    @cached_property
    def _cosmos(self) -> CosmosClient:
        s = self.settings
        return cosmos_client(
            connection_string=_secret(s.cosmos),
            endpoint=s.cosmos_endpoint,
            identity=self._identity,
        )

    def _container(self, name: str) -> ContainerProxy:
        database = self._cosmos.get_database_client(self.settings.cosmos_database)
        return database.get_container_client(name)

    @cached_property
    def _blob_client(self) -> BlobServiceClient:
        s = self.settings
        return blob_client(
            connection_string=_secret(s.storage),
            endpoint=s.storage_blob_uri,
            identity=self._identity,
        )

    @cached_property
    def _blobs(self) -> AzureBlobStore:
        return AzureBlobStore(self._blob_client)

    @cached_property
    def _hubs(self) -> EventHubs:
        s = self.settings
        return EventHubs(
            connection_string=_secret(s.event_hubs),
            namespace=s.event_hubs_namespace,
            identity=self._identity,
        )

    @cached_property
    def _groups(self) -> CosmosGroupStore:
        return CosmosGroupStore(self._container("groups"))

    @cached_property
    def _ledger_store(self) -> CosmosLedgerStore:
        return CosmosLedgerStore(self._container("requests"))

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(store=self._ledger_store, clock=self._clock)

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(blobs=self._blobs)

    @cached_property
    def _lanes(self) -> dict[str, Lane]:
        s = self.settings
        return {
            deployment.name: Lane(
                model=s.sizing[deployment.model],
                gate=Gate(
                    deployment=deployment.name,
                    clock=self._clock,
                    controller=SlowDown(
                        limits=SlowDownLimits(
                            lower=s.lower_limit,
                            upper=s.upper_limit,
                            max_concurrent_calls=s.max_concurrent_calls,
                        ),
                        gauge=Gauge(
                            live_ttl_seconds=s.live_ttl_seconds,
                            metric_ttl_seconds=s.metric_ttl_seconds,
                        ),
                    ),
                ),
            )
            for deployment in s.deployments
        }


SWEEP_PAUSE_SECONDS = 60.0
"""First interval between two looks at a group, and between two publications; both grow."""


@cache
def application() -> Application:
    """The application of this process. Raises SettingsError, which stops the start-up."""
    quiet_sdks()
    return Application(load_settings())


def _secret(value: object) -> str | None:
    from pydantic import SecretStr

    return value.get_secret_value() if isinstance(value, SecretStr) else None
