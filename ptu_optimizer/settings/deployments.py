"""The deployments that the app may call, and what their models cost."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import NoDecode

from ptu_optimizer.capacity.work import Model, known_models

from .group import SettingsGroup, from_json
from .setting_errors import Misfit, looks


class Deployment(BaseModel):
    """One PTU deployment, as in the setting DEPLOYMENTS."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1)]
    """The deployment's name in Azure OpenAI."""
    model: str
    """Its model, a name of the sizing table (or of MODELS)."""
    ptus: Annotated[int, Field(gt=0)]
    spillover: Annotated[str, Field(min_length=1)] | None = None
    """Where requests may go that would miss their deadline: a name of SPILLOVER_DEPLOYMENTS."""


class SpilloverDeployment(BaseModel):
    """One pay-as-you-go deployment of the same resource, as in SPILLOVER_DEPLOYMENTS."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1)]
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
