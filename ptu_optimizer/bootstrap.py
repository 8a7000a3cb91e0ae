"""The composition root: builds each use case once per process and hands it what it needs.

The only module that imports `settings` and `services`. Nothing is connected at import: clients are
built at the first use, on the worker's event loop, so that a cold start pays for nothing it does
not need.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from functools import cache, cached_property

from .capacity.admission import Controller, SlowDownLimits
from .capacity.controller import LevelController
from .capacity.observer import LevelObserver
from .capacity.pay_as_you_go import TOKENS, PayAsYouGo
from .capacity.usage_events import UsageEvents
from .capacity.what_changes import Terms
from .clock import Clock, SystemClock
from .errors import BadSettings
from .requests.alert_callers import CallerCheck, KeyIsEnough, PlatformCheck, TokenCheck
from .requests.alerts import Alerts
from .requests.attempt import Attempts
from .requests.capacity_view import CapacityView, Provisioned, SpilloverTarget
from .requests.deferral import PublishedMemory
from .requests.dispatcher import Dispatcher
from .requests.exchange import CapacityExchange
from .requests.flow_reports import FlowReports
from .requests.gate import Gate
from .requests.health import Health
from .requests.id_keys import FixedIds, Ids, RotatingIds
from .requests.ids import IdMint
from .requests.inputs import Inputs
from .requests.intake import Intake, IntakeLimits
from .requests.lane import Lane
from .requests.minutes import MinuteReader
from .requests.model import ItemRules
from .requests.outcomes import OutcomeWriter
from .requests.projection import Projections
from .requests.records import Ledger
from .requests.status import RequestStatus
from .requests.sweep import Sweep
from .requests.timing import Timing
from .requests.urgency import Urgency
from .requests.usage_feed import UsageFeed
from .requests.watermark import Watermark
from .services import AzureServices, Places, Services, entra_tokens
from .settings import (
    Deployment,
    Settings,
    SettingsError,
    alerts_need_the_function_key,
    load_settings,
)
from .telemetry import logger, quiet_sdks

_log = logger("settings")

__all__ = ["Application", "alerts_need_the_function_key", "application", "places"]

ControllerChoice = Callable[[str, Controller], Controller]
"""From a deployment's name and its own controller to the one that is used."""


class Application:
    """Every use case of this process, each built when it is first asked for."""

    def __init__(
        self,
        settings: Settings,
        *,
        services: Services | None = None,
        clock: Clock | None = None,
        worker: str | None = None,
        control: ControllerChoice | None = None,
    ) -> None:
        """`worker` names this process in readings and attempts; `control` may put another
        controller in the place of a deployment's own.
        """
        self.settings = settings
        self._services = services or AzureServices(places(settings))
        self._clock = clock or SystemClock()
        self._control = control or (lambda _, own: own)
        self._worker = worker or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"

    # --- use cases -------------------------------------------------------------------------------

    @cached_property
    def intake(self) -> Intake:
        s = self.settings
        return Intake(
            ids=self._ids,
            groups=self._services.groups,
            blobs=self._services.blobs,
            publisher=self._services.hubs,
            rules=ItemRules(
                deployments=frozenset(d.name for d in s.deployments),
                default_deployment=s.deployments[0].name,
                default_deadline_seconds=s.default_deadline_seconds,
                longest_deadline_seconds=s.hub_retention_seconds,
                spills_over=frozenset(d.name for d in s.deployments if d.spillover),
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
            ids=self._ids,
            ledger=self._ledger,
            blobs=self._services.blobs,
            projections=Projections(
                store=self._services.capacity,
                deployments=[d.name for d in self.settings.deployments],
                clock=self._clock,
            ),
            clock=self._clock,
            timing=self._timing,
        )

    @cached_property
    def dispatcher(self) -> Dispatcher:
        s = self.settings
        outcomes = OutcomeWriter(
            ledger=self._ledger,
            blobs=self._services.blobs,
            publisher=self._services.hubs,
            clock=self._clock,
            timing=self._timing,
        )
        return Dispatcher(
            ids=self._ids,
            lanes=self._lanes,
            attempts=Attempts(
                ledger=self._ledger,
                outcomes=outcomes,
                caller=self._services.caller,
                clock=self._clock,
                timing=self._timing,
                max_failures=s.max_failures,
                worker=self._worker,
            ),
            outcomes=outcomes,
            ledger=self._ledger,
            inputs=self._inputs,
            estimator=self._services.estimator,
            publisher=self._services.hubs,
            memory=PublishedMemory(clock=self._clock, timing=self._timing),
            exchange=CapacityExchange(
                gates={name: lane.gate for name, lane in self._lanes.items()},
                store=self._services.capacity,
                clock=self._clock,
                worker=self._worker,
                interval_seconds=s.reading_exchange_seconds,
            ),
            clock=self._clock,
            timing=self._timing,
            urgency=self._urgency,
            flows=FlowReports(
                store=self._services.capacity, clock=self._clock, worker=self._worker
            ),
            worker=self._worker,
        )

    @cached_property
    def sweep(self) -> Sweep:
        return Sweep(
            ids=self._ids,
            groups=self._services.groups,
            store=self._services.ledger,
            ledger=self._ledger,
            inputs=self._inputs,
            publisher=self._services.hubs,
            watermark=Watermark(
                groups=self._services.groups,
                hubs=self._services.hubs,
                publisher=self._services.hubs,
                clock=self._clock,
                timing=self._timing,
            ),
            clock=self._clock,
            timing=self._timing,
            longest_deadline_seconds=self.settings.hub_retention_seconds,
            pause_seconds=SWEEP_PAUSE_SECONDS,
            urgency=self._urgency,
        )

    @cached_property
    def minutes(self) -> MinuteReader:
        return MinuteReader(monitor=self._services.monitor)

    @cached_property
    def usage_feed(self) -> UsageFeed:
        s = self.settings
        return UsageFeed(
            events=UsageEvents({d.name: s.sizing[d.model] for d in s.deployments}),
            clock=self._clock,
        )

    @cached_property
    def capacity_view(self) -> CapacityView:
        s = self.settings
        deployments = {d.name: d for d in s.deployments}
        normal = s.limits["normal"]
        return CapacityView(
            store=self._services.capacity,
            deployments=[
                Provisioned(
                    name=d.name,
                    model=d.model,
                    ptus=d.ptus,
                    work_per_second=s.sizing[d.model].drain_per_second(d.ptus),
                    spillover=d.spillover,
                )
                for d in s.deployments
            ],
            targets=[
                SpilloverTarget(
                    name=target.name,
                    model=target.model,
                    tokens_per_minute=target.tpm,
                    requests_per_minute=target.rpm,
                )
                for target in s.spillover_deployments
            ],
            # of another name than ours: what this process has told is news to it as well
            fresh_controller=lambda name: self._level_controller(deployments[name], source=""),
            terms=Terms(
                lower=normal.lower,
                upper=normal.upper,
                limits_setting="PRIORITY_LIMITS" if "normal" in s.priority_limits else None,
                max_concurrent_calls=s.max_concurrent_calls,
                header_ttl_seconds=s.live_ttl_seconds,
                metric_ttl_seconds=s.metric_ttl_seconds,
            ),
            clock=self._clock,
        )

    @cached_property
    def alerts(self) -> Alerts:
        s = self.settings
        return Alerts(
            store=self._services.capacity,
            deployments=[d.name for d in s.deployments],
            resource_id=s.azure_openai_resource_id,
            expiry_seconds=s.alert_expiry_seconds,
            clock=self._clock,
        )

    @cached_property
    def alert_callers(self) -> CallerCheck:
        s = self.settings
        if s.alert_authentication == "entra":
            return TokenCheck(
                tokens=entra_tokens(
                    tenant=s.alert_tenant_id or "", audiences=s.alert_audiences, clock=self._clock
                ),
                app_id=s.alert_caller_app_id,
            )
        if s.alert_authentication == "platform":
            return PlatformCheck(app_id=s.alert_caller_app_id, tenant=s.alert_tenant_id)
        return KeyIsEnough()

    @cached_property
    def health(self) -> Health:
        return Health(
            checks={
                "event_hubs": lambda: self._services.hubs.ping("requests"),
                "cosmos": self._services.groups.ping,
                "blobs": self._services.blobs.ping,
            },
            ids=self._ids,
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
            turn_wait=s.turn_wait_seconds,
        )

    @cached_property
    def _urgency(self) -> Urgency:
        s = self.settings
        return Urgency(soon=s.soon_seconds, spillover_lead=s.spillover_lead_seconds)

    @cached_property
    def _ids(self) -> Ids:
        key = self.settings.request_id_key
        if key is not None:
            return FixedIds(IdMint(key.get_secret_value().encode()))
        return RotatingIds(reader=self._services.id_keys, clock=self._clock)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(store=self._services.ledger, clock=self._clock)

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(blobs=self._services.blobs)

    @cached_property
    def _lanes(self) -> dict[str, Lane]:
        s = self.settings
        return {
            deployment.name: Lane(
                model=s.sizing[deployment.model],
                gate=Gate(
                    deployment=deployment.name,
                    clock=self._clock,
                    controller=self._control(
                        deployment.name,
                        self._level_controller(deployment, source=self._worker),
                    ),
                    shared=True,
                ),
                spillover=self._spillover_lanes.get(deployment.spillover or ""),
            )
            for deployment in s.deployments
        }

    def _level_controller(self, deployment: Deployment, *, source: str) -> LevelController:
        s = self.settings
        model = s.sizing[deployment.model]
        rate = model.drain_per_second(deployment.ptus)
        return LevelController(
            deployment=deployment.name,
            source=source,
            work_per_second=rate,
            observer=LevelObserver(
                work_per_second=rate,
                model=model,
                header_ttl_seconds=s.live_ttl_seconds,
                metric_ttl_seconds=s.metric_ttl_seconds,
            ),
            limits={
                priority: SlowDownLimits(
                    lower=limits.lower,
                    upper=limits.upper,
                    max_concurrent_calls=s.max_concurrent_calls,
                )
                for priority, limits in s.limits.items()
            },
            max_concurrent_calls=s.max_concurrent_calls,
        )

    @cached_property
    def _spillover_lanes(self) -> dict[str, Lane]:
        return {
            target.name: Lane(
                model=TOKENS,
                tokens_per_minute=target.tpm,
                gate=Gate(
                    deployment=target.name,
                    clock=self._clock,
                    controller=PayAsYouGo(
                        tokens_per_minute=target.tpm,
                        requests_per_minute=target.rpm,
                        max_concurrent_calls=self.settings.max_concurrent_calls,
                    ),
                ),
            )
            for target in self.settings.spillover_deployments
        }


SWEEP_PAUSE_SECONDS = 60.0
"""First interval between two looks at a group, and between two publications; both grow."""


@cache
def application() -> Application:
    """The application of this process. Raises BadSettings: every trigger works as soon as its
    settings do, and the host finds all functions in any case."""
    quiet_sdks()
    try:
        settings = load_settings()
    except SettingsError as error:
        told("; ".join(error.complaints))
        raise BadSettings(error.names) from None
    return Application(settings)


@cache
def told(complaints: str) -> None:
    """Tell the log once in a process, since every call meets the same settings."""
    _log.error("the settings are not usable", extra={"complaints": complaints})


def places(s: Settings) -> Places:
    """Where the settings say that the services are."""
    return Places(
        event_hubs=s.event_hubs,
        event_hubs_namespace=s.event_hubs_namespace,
        cosmos=s.cosmos,
        cosmos_endpoint=s.cosmos_endpoint,
        cosmos_database=s.cosmos_database,
        storage=s.storage,
        storage_blob_uri=s.storage_blob_uri,
        openai_endpoint=s.azure_openai_endpoint,
        openai_api_key=s.azure_openai_api_key,
        openai_api_version=s.azure_openai_api_version,
        openai_connections=s.max_concurrent_calls
        * (len(s.deployments) + len(s.spillover_deployments)),
        request_id_key_uri=s.request_id_key_uri,
        monitor_endpoint=s.azure_monitor_endpoint,
        openai_resource_id=s.azure_openai_resource_id,
        deployments=tuple(d.name for d in s.deployments),
        client_id=s.azure_client_id,
    )
