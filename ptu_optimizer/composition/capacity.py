"""The use cases of capacity: gates and controllers, what comes in, and what operators see."""

from __future__ import annotations

from functools import cached_property

from ptu_optimizer.admission.gate import Gate
from ptu_optimizer.admission.gated_deployment import GatedDeployment
from ptu_optimizer.backends.backend import Backend
from ptu_optimizer.capacity.control.level_controller import LevelController
from ptu_optimizer.capacity.control.limits import SlowDownLimits
from ptu_optimizer.capacity.control.pay_as_you_go import PayAsYouGo
from ptu_optimizer.capacity.estimate.observer import LevelObserver
from ptu_optimizer.capacity.signals.usage_events import UsageEvents
from ptu_optimizer.feeds.alert_callers import CallerCheck, KeyIsEnough, PlatformCheck, TokenCheck
from ptu_optimizer.feeds.alerts import Alerts
from ptu_optimizer.feeds.metric_minutes import MetricMinutes
from ptu_optimizer.feeds.usage_feed import UsageFeed
from ptu_optimizer.operator_views.capacity import CapacityView
from ptu_optimizer.operator_views.what_would_change import Terms
from ptu_optimizer.services import entra_tokens

from .parts import Parts


class CapacityUseCases(Parts):
    """Gates, feeds and the operators' view of each deployment."""

    @cached_property
    def minutes(self) -> MetricMinutes:
        return MetricMinutes(monitor=self._services.monitor)

    @cached_property
    def usage_feed(self) -> UsageFeed:
        s = self.settings
        return UsageFeed(
            events=UsageEvents(
                {b.name: b.sizing for b in s.provisioned},
                deployments=[b.in_azure for b in s.provisioned],
            ),
            clock=self._clock,
        )

    @cached_property
    def capacity_view(self) -> CapacityView:
        s = self.settings
        backends = {b.name: b for b in s.provisioned}
        normal = s.limits["normal"]
        return CapacityView(
            store=self._services.capacity,
            backends=s.all_backends,
            # with another worker name than ours, so that it also takes in what this process has
            # published
            fresh_controller=lambda name: self._level_controller(backends[name], source=""),
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
            deployments=[b.in_azure for b in s.provisioned],
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
    def _targets(self) -> dict[str, GatedDeployment]:
        return {
            backend.name: GatedDeployment(
                model=backend.sizing,
                gate=Gate(
                    deployment=backend.name,
                    clock=self._clock,
                    controller=self._control(
                        backend.name, self._level_controller(backend, source=self._worker)
                    ),
                    shared=True,
                ),
                spillover=self._spillover_targets.get(backend.spillover or ""),
            )
            for backend in self.settings.provisioned
        }

    def _level_controller(self, backend: Backend, *, source: str) -> LevelController:
        s = self.settings
        return LevelController(
            deployment=backend.name,
            source=source,
            learned_of=backend.learned_of,
            work_per_second=backend.work_per_second,
            observer=LevelObserver(
                work_per_second=backend.work_per_second,
                model=backend.sizing,
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
    def _spillover_targets(self) -> dict[str, GatedDeployment]:
        return {
            backend.name: GatedDeployment(
                model=backend.sizing,
                tokens_per_minute=backend.tokens_per_minute,
                gate=Gate(
                    deployment=backend.name,
                    clock=self._clock,
                    controller=PayAsYouGo(
                        tokens_per_minute=backend.tokens_per_minute or 0,
                        requests_per_minute=backend.requests_per_minute,
                        max_concurrent_calls=self.settings.max_concurrent_calls,
                    ),
                ),
            )
            for backend in self.settings.pay_as_you_go
        }
