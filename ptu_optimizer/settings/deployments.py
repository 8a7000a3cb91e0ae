"""The deployments that the app may call, and what their models cost."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from ptu_optimizer.backends.backend import Backend, BackendKind, Resource
from ptu_optimizer.capacity.work import TOKENS, Model, known_models

from .group import UNRESOLVED, SettingsGroup, from_json, is_unresolved_reference
from .setting_errors import Misfit, looks

RESOURCE_ID = r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"


class Placed(BaseModel):
    """What any deployment may say of its place. All of it may be left out: then it is a deployment
    of this name in the resource of AZURE_OPENAI_ENDPOINT."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1)]
    """The app's name for it, unique in DEPLOYMENTS and SPILLOVER_DEPLOYMENTS."""
    deployment: Annotated[str, Field(min_length=1)] | None = None
    """Its name in Azure OpenAI, if that is another one."""
    endpoint: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Of its resource, if that is not the one of AZURE_OPENAI_ENDPOINT."""
    resource_id: Annotated[str, Field(pattern=RESOURCE_ID)] | None = None
    """The id of that resource, whose metrics are read and whose alerts count."""
    monitor_endpoint: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Azure Monitor's metrics in its region, if that is not the one of AZURE_MONITOR_ENDPOINT."""
    api_version: Annotated[str, Field(pattern=r"^(v1|[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?)$")] | (
        None
    ) = None
    """`v1`, or a dated version; without it, AZURE_OPENAI_API_VERSION counts."""
    api_key_setting: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """The name of the app setting that holds the key of that resource; without one, the app's Entra
    identity is used."""

    @model_validator(mode="after")
    def _is_placed(self) -> Self:
        if self.endpoint is None:
            for name in ("resource_id", "monitor_endpoint", "api_key_setting"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} belongs to an endpoint, which is missing")
        return self


class Deployment(Placed):
    """One PTU deployment, as in the setting DEPLOYMENTS."""

    model: str
    """Its model, a name of the sizing table (or of MODELS)."""
    ptus: Annotated[int, Field(gt=0)]
    spillover: Annotated[str, Field(min_length=1)] | None = None
    """Where requests may go that would miss their deadline: a name of SPILLOVER_DEPLOYMENTS."""

    @model_validator(mode="after")
    def _has_metrics(self) -> Self:
        if self.endpoint is not None and self.resource_id is None:
            raise ValueError("resource_id is missing: without it, no metric of it can be read")
        return self


class SpilloverDeployment(Placed):
    """One pay-as-you-go deployment, as in SPILLOVER_DEPLOYMENTS."""

    model: Annotated[str, Field(min_length=1)]
    tpm: Annotated[int, Field(gt=0)]
    """Tokens per minute that the queue may use, at most the deployment's own limit."""
    rpm: Annotated[int, Field(gt=0)] | None = None
    """Requests per minute; None: no limit that would come before the tokens'."""
    stands_in_for: tuple[str, ...] = ()
    """Other models whose requests it may answer."""


class DeploymentSettings(SettingsGroup):
    deployments: Annotated[tuple[Deployment, ...], NoDecode, Field(min_length=1)] = Field(
        alias="DEPLOYMENTS",
        description="JSON array of the PTU deployments; the first is the default one",
        examples=['[{"name": "gpt-4.1-ptu", "model": "gpt-4.1", "ptus": 50}]'],
    )
    spillover_deployments: Annotated[tuple[SpilloverDeployment, ...], NoDecode] = Field(
        (),
        alias="SPILLOVER_DEPLOYMENTS",
        description="JSON array of pay-as-you-go deployments that DEPLOYMENTS may spill over to",
        examples=['[{"name": "gpt-4.1-payg", "model": "gpt-4.1", "tpm": 100000, "rpm": 600}]'],
    )
    models: Annotated[dict[str, Model], NoDecode] = Field(
        default_factory=dict,
        alias="MODELS",
        description="JSON object of models that the built-in sizing table lacks",
        examples=['{"gpt-6": {"input_tpm_per_ptu": 1000, "output_ratio": 6}}'],
    )

    @field_validator("deployments", "spillover_deployments", "models", mode="before")
    @classmethod
    def _deployments_from_json(cls, value: Any) -> Any:
        return from_json(value)

    @property
    def sizing(self) -> dict[str, Model]:
        """The sizing table, with MODELS on top."""
        return {**known_models(), **self.models}

    def check_deployments(self) -> None:
        """Raises Misfit."""
        fields = type(self).model_fields
        unknown = [d.model for d in self.deployments if d.model not in self.sizing]
        if unknown:
            raise Misfit(
                f"DEPLOYMENTS names the unknown model {unknown[0]}; describe it in MODELS, "
                f"which {looks(fields['models'])}",
                "DEPLOYMENTS",
            )
        names = [d.name for d in self.deployments]
        if len(set(names)) != len(names):
            raise Misfit("DEPLOYMENTS names a deployment twice", "DEPLOYMENTS")
        self._check_spillover()
        for one in (*self.deployments, *self.spillover_deployments):
            if one.api_key_setting is not None:
                self._key(one.api_key_setting)

    def backends(self, default: Resource) -> tuple[Backend, ...]:
        """Every deployment of both settings; `default` is the resource of those that name none."""
        provisioned = (
            Backend(
                name=one.name,
                deployment=one.deployment or one.name,
                resource=self._resource(one, default),
                kind=BackendKind.PROVISIONED,
                model=one.model,
                sizing=self.sizing[one.model],
                ptus=one.ptus,
                spillover=one.spillover,
            )
            for one in self.deployments
        )
        pay_as_you_go = (
            Backend(
                name=one.name,
                deployment=one.deployment or one.name,
                resource=self._resource(one, default),
                kind=BackendKind.PAY_AS_YOU_GO,
                model=one.model,
                sizing=TOKENS,
                tokens_per_minute=one.tpm,
                requests_per_minute=one.rpm,
            )
            for one in self.spillover_deployments
        )
        return (*provisioned, *pay_as_you_go)

    def _resource(self, one: Placed, default: Resource) -> Resource:
        version = one.api_version or default.api_version
        if one.endpoint is None:
            return replace(default, api_version=version)
        return Resource(
            endpoint=one.endpoint,
            api_version=version,
            api_key=None if one.api_key_setting is None else self._key(one.api_key_setting),
            resource_id=one.resource_id,
            monitor_endpoint=one.monitor_endpoint or default.monitor_endpoint,
        )

    @staticmethod
    def _key(setting: str) -> str:
        key = os.environ.get(setting, "")
        if not key:
            raise Misfit(
                f"{setting} is missing; api_key_setting in DEPLOYMENTS or SPILLOVER_DEPLOYMENTS "
                "names it, and it should be the key of that resource",
                setting,
            )
        if is_unresolved_reference(key):
            raise Misfit(f"{setting} is malformed: {UNRESOLVED}", setting)
        return key

    def _check_spillover(self) -> None:
        both = ("DEPLOYMENTS", "SPILLOVER_DEPLOYMENTS")
        targets = {target.name: target for target in self.spillover_deployments}
        if len(targets) < len(self.spillover_deployments):
            raise Misfit("SPILLOVER_DEPLOYMENTS names a deployment twice", "SPILLOVER_DEPLOYMENTS")
        for deployment in self.deployments:
            if deployment.name in targets:
                raise Misfit(
                    f"{deployment.name} is in DEPLOYMENTS and in SPILLOVER_DEPLOYMENTS: it is "
                    "provisioned or pay-as-you-go",
                    *both,
                )
            if deployment.spillover is None:
                continue
            target = targets.get(deployment.spillover)
            if target is None:
                raise Misfit(
                    f"DEPLOYMENTS lets {deployment.name} spill over to {deployment.spillover}, "
                    "which SPILLOVER_DEPLOYMENTS does not describe; it "
                    f"{looks(type(self).model_fields['spillover_deployments'])}",
                    *both,
                )
            if deployment.model not in (target.model, *target.stands_in_for):
                raise Misfit(
                    f"DEPLOYMENTS lets {deployment.name} ({deployment.model}) spill over to "
                    f"{target.name}, whose model is {target.model}; if that is meant, add "
                    f'"stands_in_for": ["{deployment.model}"] to it in SPILLOVER_DEPLOYMENTS',
                    *both,
                )
