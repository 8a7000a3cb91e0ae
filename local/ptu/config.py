"""What is simulated: the deployments and the service around them, from JSON or the command line.

Every mistake is a ``ConfigError`` that names the setting and what it should look like.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from local.ptu.latency import LatencyModel

__all__ = [
    "ConfigError",
    "DeploymentConfig",
    "MetricKind",
    "PtuServerConfig",
    "known_models",
    "read_latency",
]

MetricKind = Literal["level", "load"]

UNLIMITED_PTUS = 1e9
"""What ``unlimited`` makes of every provisioned deployment: its level stays at 0.0 %."""


class ConfigError(ValueError):
    """A setting of the simulated service is missing or malformed."""


@cache
def known_models() -> Mapping[str, Mapping[str, Any]]:
    """The models of models.json: what a provisioned deployment of each can do."""
    text = files("local.ptu").joinpath("models.json").read_text(encoding="utf-8")
    models: dict[str, dict[str, Any]] = json.loads(text)["models"]
    return models


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentConfig:
    """One deployment. ``ptus`` makes it provisioned; without, it is pay-as-you-go."""

    name: str
    model: str = "gpt-4.1"
    ptus: float | None = None
    """Provisioned throughput units."""
    input_tpm_per_ptu: float = 0.0
    """Input tokens per minute and PTU; taken from models.json if it knows the model."""
    output_ratio: float = 0.0
    """Input tokens that one output token costs; from models.json likewise."""
    window_seconds: float = 10.0
    """W, the bucket's depth: 100 % is this many seconds of drain. Not documented by Microsoft."""
    tpm: float | None = None
    """Pay-as-you-go: tokens per minute; None is no limit."""
    rpm: float | None = None
    """Pay-as-you-go: requests per minute; None is no limit."""
    output_estimate: int = 1_000
    """Output tokens reserved when a call has no ``max_tokens``."""
    max_prompt_tokens: int | None = None
    """Longer prompts are answered 400 by a provisioned deployment; from models.json likewise."""
    completion_tokens_only: bool = False
    """A reasoning model: refuses ``max_tokens``; from models.json likewise."""
    spillover_to: str | None = None
    """The pay-as-you-go deployment that serves what this one refuses."""
    output_share: tuple[float, float] = (0.2, 0.9)
    """An answer's length, as a seeded share of ``max_tokens`` between these two."""
    latency: LatencyModel = field(default_factory=LatencyModel)

    @property
    def provisioned(self) -> bool:
        return self.ptus is not None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DeploymentConfig:
        """Checked, with what models.json knows of the model filled in."""
        name = values.get("name")
        if not isinstance(name, str) or not name:
            raise ConfigError(f"a deployment needs a name, for example name=gpt-4.1: {values!r}")
        _refuse_unknown(values, cls, f"deployment {name!r}")
        model = values.get("model", "gpt-4.1")
        merged = {**known_models().get(model, {}), **values}
        merged["latency"] = read_latency(merged.get("latency"))
        config = cls(**{**merged, "output_share": tuple(merged.get("output_share", (0.2, 0.9)))})
        config.check()
        return config

    def check(self) -> None:
        """Raise ``ConfigError`` for what cannot be simulated."""
        where = f"deployment {self.name!r}"
        if self.ptus is not None and (self.tpm is not None or self.rpm is not None):
            raise ConfigError(f"{where}: ptus and tpm/rpm exclude each other")
        if self.spillover_to is not None and self.ptus is None:
            raise ConfigError(f"{where}: spillover_to needs ptus: only provisioned ones spill over")
        numbers = ["window_seconds", "output_estimate"]
        numbers += [
            n for n in ("ptus", "tpm", "rpm", "max_prompt_tokens") if getattr(self, n) is not None
        ]
        if self.ptus is not None:
            if not self.input_tpm_per_ptu or not self.output_ratio:
                raise ConfigError(
                    f"{where}: models.json does not know {self.model!r}; "
                    "give input_tpm_per_ptu and output_ratio"
                )
            numbers += ["ptus", "input_tpm_per_ptu", "output_ratio"]
        for name in numbers:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ConfigError(f"{where}: {name} must be a number above 0, not {value!r}")
        share = self.output_share
        if len(share) != 2 or not 0 <= share[0] <= share[1] <= 1:
            raise ConfigError(f"{where}: output_share must be [low, high] within 0 and 1: {share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PtuServerConfig:
    """The simulated Azure OpenAI resource and its surroundings."""

    deployments: tuple[DeploymentConfig, ...]
    seed: int = 1
    api_keys: tuple[str, ...] = ("local",)
    identity_header: str = "local"
    """What IDENTITY_HEADER must be for the local identity endpoint to issue a token."""
    region: str = "local"
    metric: MetricKind = "level"
    """What AzureOpenAIProvisionedManagedUtilizationV2 means; Microsoft does not say."""
    metric_delay_seconds: float = 60.0
    """How long after a minute's end its metrics become visible. Azure: about 60 to 180."""
    utilization_header: bool = True
    """Whether responses carry azure-openai-deployment-utilization. Azure does not promise it."""
    unlimited: bool = False
    """Provisioned deployments of practically no limit, for throughput measurements."""
    prompt_cache_seconds: float = 0.0
    """How long a prompt's prefix stays cached; 0 switches the prompt cache off."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PtuServerConfig:
        """Checked settings; ``deployments`` is a list of objects."""
        _refuse_unknown(values, cls, "the configuration")
        listed = values.get("deployments")
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise ConfigError("deployments must be a list of objects")
        deployments = tuple(
            item if isinstance(item, DeploymentConfig) else DeploymentConfig.from_dict(item)
            for item in listed
        )
        rest: dict[str, Any] = {**values, "deployments": deployments}
        if "api_keys" in rest:
            keys = rest["api_keys"]
            rest["api_keys"] = tuple(keys) if isinstance(keys, list | tuple) else ()
        config = cls(**rest)
        config.check()
        return config

    @classmethod
    def from_file(cls, path: Path) -> PtuServerConfig:
        """The settings in a JSON file: an object, or just the list of deployments."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"--deployments {path}: {error}") from error
        if isinstance(values, list):
            values = {"deployments": values}
        if not isinstance(values, dict):
            raise ConfigError(f"--deployments {path}: expected a JSON object or list")
        return cls.from_dict(values)

    def check(self) -> None:
        """Raise ``ConfigError`` for what cannot be simulated."""
        names = [deployment.name for deployment in self.deployments]
        if not names:
            raise ConfigError("at least one deployment is needed: --deployment name=…,ptus=…")
        if len(set(names)) != len(names):
            raise ConfigError(f"deployment names must differ: {', '.join(names)}")
        payg = {d.name for d in self.deployments if not d.provisioned}
        for deployment in self.deployments:
            if deployment.spillover_to is not None and deployment.spillover_to not in payg:
                raise ConfigError(
                    f"deployment {deployment.name!r}: spillover_to {deployment.spillover_to!r} "
                    "must name a pay-as-you-go deployment"
                )
        if self.metric not in ("level", "load"):
            raise ConfigError(f"metric must be level or load, not {self.metric!r}")
        for name in ("metric_delay_seconds", "prompt_cache_seconds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise ConfigError(f"{name} must be a number >= 0, not {value!r}")
        for name in ("utilization_header", "unlimited"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be true or false, not {getattr(self, name)!r}")
        if type(self.seed) is not int or self.seed < 0:
            raise ConfigError(f"seed must be a whole number >= 0, not {self.seed!r}")
        if not self.identity_header or not isinstance(self.identity_header, str):
            raise ConfigError("identity_header must be a non-empty string")
        if not self.api_keys or not all(isinstance(k, str) and k for k in self.api_keys):
            raise ConfigError("api_keys must be a list of non-empty strings")

    def with_latency(self, latency: LatencyModel) -> PtuServerConfig:
        """The same, every deployment with that latency."""
        return replace(
            self, deployments=tuple(replace(d, latency=latency) for d in self.deployments)
        )


def read_latency(value: object) -> LatencyModel:
    """A checked latency model from an object of its fields; ``None`` is the default one."""
    if isinstance(value, LatencyModel):
        return value
    if value is None:
        return LatencyModel()
    if not isinstance(value, Mapping):
        raise ConfigError(f"latency must be an object, not {value!r}")
    _refuse_unknown(value, LatencyModel, "latency")
    try:
        return LatencyModel(**value)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _refuse_unknown(values: Mapping[str, Any], cls: type[Any], where: str) -> None:
    known = [item.name for item in fields(cls)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(known)}")
