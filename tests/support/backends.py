"""Backends for tests: one resource, unless a test says otherwise."""

from __future__ import annotations

from typing import Any

from ptu_optimizer.backends.backend import Backend, BackendKind, Resource
from ptu_optimizer.capacity.work import TOKENS, Model

GPT = Model(input_tpm_per_ptu=3_000, output_ratio=4)
RESOURCE_ID = (
    "/subscriptions/S/resourceGroups/RG/providers/Microsoft.CognitiveServices/accounts/west"
)
WEST = Resource(
    endpoint="https://west.openai.azure.com",
    api_version="2024-10-21",
    resource_id=RESOURCE_ID,
    monitor_endpoint="https://westeurope.metrics.monitor.azure.com",
)


def backend(
    name: str,
    *,
    kind: BackendKind = BackendKind.PROVISIONED,
    resource: Resource = WEST,
    **more: Any,
) -> Backend:
    sizing = GPT if kind is BackendKind.PROVISIONED else TOKENS
    given = {"deployment": name, "model": "gpt-4.1", "sizing": sizing, **more}
    return Backend(name=name, kind=kind, resource=resource, **given)
