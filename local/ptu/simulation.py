"""The simulated Azure OpenAI resource: its deployments and what can be changed while it runs.

Pure: ``now`` is an argument. The HTTP side is in chat.py, monitor.py and control.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from local.ptu.config import (
    UNLIMITED_PTUS,
    ConfigError,
    DeploymentConfig,
    PtuServerConfig,
    read_latency,
)
from local.ptu.counters import CallCounters
from local.ptu.deployment import Common, Deployment
from local.ptu.faults import FaultPlan
from local.ptu.history import History
from local.ptu.latency import ZERO_LATENCY
from local.ptu.payg_deployment import PaygDeployment
from local.ptu.prompt_cache import PromptCache
from local.ptu.ptu_deployment import PtuDeployment

__all__ = ["Simulation"]

_SERVER_KNOBS = ("metric", "metric_delay_seconds", "utilization_header", "prompt_cache_seconds")
_DEPLOYMENT_KNOBS = ("latency", "zero_latency", "ptus")


class Simulation:
    """Deployments by name, faults that are due, and the settings that may change."""

    def __init__(self, config: PtuServerConfig, *, now: float) -> None:
        config.check()
        self.config = config
        self.settings = {deployment.name: deployment for deployment in config.deployments}
        self.deployments: dict[str, Deployment] = {
            name: build_deployment(settings, config=config, now=now)
            for name, settings in self.settings.items()
        }
        self.faults = FaultPlan()
        self.prompt_cache = PromptCache(lifetime_seconds=config.prompt_cache_seconds)
        self.histories: dict[str, History] = {}
        self._begin_histories(now)

    def spillover_of(self, name: str, requested: str | None) -> PaygDeployment | None:
        """Where a call that ``name`` cannot serve goes. The deployment's own setting wins over
        the request's header (docs/platform.md, "Pay-as-you-go and spillover")."""
        if not self.settings[name].provisioned:
            return None
        target = self.deployments.get(self.settings[name].spillover_to or requested or "")
        return target if isinstance(target, PaygDeployment) else None

    def sample(self, now: float) -> None:
        """Take a per-second sample of every provisioned deployment."""
        for history in self.histories.values():
            history.sample(now)

    def advance(self, now: float) -> None:
        """Bring all records up to ``now``, before they are read."""
        for deployment in self.deployments.values():
            deployment.advance(now)

    def configure(self, values: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        """Change settings while running and return those in force.

        Server: metric, metric_delay_seconds, utilization_header, prompt_cache_seconds.
        Deployments (all, or the one named by ``deployment``): latency (an object whose fields
        replace those in force), zero_latency (true), ptus. Nothing changes if anything is wrong.
        """
        known = {*_SERVER_KNOBS, *_DEPLOYMENT_KNOBS, "deployment"}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        name = values.get("deployment")
        if name is not None and name not in self.deployments:
            raise ConfigError(f"deployment {name!r} does not exist")
        server = {knob: values[knob] for knob in _SERVER_KNOBS if knob in values}
        config = replace(self.config, **server)
        config.check()
        chosen = [self.deployments[name]] if name is not None else [*self.deployments.values()]
        latencies = {one.name: _changed_latency(one, values) for one in chosen}
        ptus = values.get("ptus")
        resized = [one for one in chosen if isinstance(one, PtuDeployment)]
        if ptus is not None:
            for provisioned in resized:
                replace(self.settings[provisioned.name], ptus=ptus).check()
        self.config = config
        self.prompt_cache.lifetime_seconds = config.prompt_cache_seconds
        for one in chosen:
            one.latency = latencies[one.name]
        if ptus is not None:
            for provisioned in resized:
                provisioned.resize(ptus=float(ptus), now=now)
        return self.describe()

    def describe(self) -> dict[str, Any]:
        """The settings in force."""
        described: dict[str, Any] = {knob: getattr(self.config, knob) for knob in _SERVER_KNOBS}
        described["deployments"] = {
            name: {
                "model": one.model,
                "latency": asdict(one.latency),
                **(
                    {
                        "ptus": one.ptus,
                        "work_per_second": one.bucket.work_per_second,
                        "full": one.bucket.full,
                        "output_ratio": one.output_ratio,
                    }
                    if isinstance(one, PtuDeployment)
                    else {}
                ),
                **({"tpm": one.tpm, "rpm": one.rpm} if isinstance(one, PaygDeployment) else {}),
            }
            for name, one in self.deployments.items()
        }
        return described

    def counters(self) -> dict[str, Any]:
        """What happened: by deployment, and in total (a request that two deployments served
        counts as served twice)."""
        total = CallCounters.sum(one.counters for one in self.deployments.values())
        return {
            "total": total.as_dict(),
            "deployments": {n: one.counters.as_dict() for n, one in self.deployments.items()},
            "faults_due": self.faults.remaining(),
        }

    def repeated(self) -> dict[str, int]:
        """Request ids served more than once anywhere, with how often."""
        return CallCounters.sum(one.counters for one in self.deployments.values()).repeated()

    def levels(self, now: float) -> dict[str, float]:
        """Level of every provisioned deployment at ``now``."""
        return {
            name: one.level(now)
            for name, one in self.deployments.items()
            if isinstance(one, PtuDeployment)
        }

    def reset(self, now: float) -> None:
        """Forget counts, records, faults, levels and cached prompts; settings stay."""
        for deployment in self.deployments.values():
            deployment.reset(now=now)
        self.faults.clear()
        self.prompt_cache.clear()
        self._begin_histories(now)

    def _begin_histories(self, now: float) -> None:
        self.histories = {
            name: History(one, now=now)
            for name, one in self.deployments.items()
            if isinstance(one, PtuDeployment)
        }


def build_deployment(
    settings: DeploymentConfig, *, config: PtuServerConfig, now: float
) -> Deployment:
    """The deployment that ``settings`` describe, seeded by the server's seed and its name."""
    seed = config.seed * 1_000_003 + sum(settings.name.encode())
    name, ratio = settings.name, settings.output_ratio
    common = Common(
        model=settings.model,
        output_estimate=settings.output_estimate,
        latency=settings.latency,
        seed=seed,
    )
    if settings.ptus is None:
        return PaygDeployment(
            name=name, tpm=settings.tpm, rpm=settings.rpm, output_ratio=ratio, now=now, **common
        )
    return PtuDeployment(
        name=name,
        ptus=UNLIMITED_PTUS if config.unlimited else settings.ptus,
        input_tpm_per_ptu=settings.input_tpm_per_ptu,
        output_ratio=ratio,
        window_seconds=settings.window_seconds,
        now=now,
        **common,
    )


def _changed_latency(deployment: Deployment, values: Mapping[str, Any]) -> Any:
    if values.get("zero_latency"):
        return ZERO_LATENCY
    change = values.get("latency")
    if change is None:
        return deployment.latency
    if not isinstance(change, Mapping):
        raise ConfigError(f"latency must be an object, not {change!r}")
    return read_latency({**asdict(deployment.latency), **change})
