"""Simulated provisioned (PTU) and pay-as-you-go deployments of Azure OpenAI, with their Azure
Monitor metrics and a managed identity endpoint, on loopback.

The pure core, usable in virtual time: ``PtuDeployment``, ``PaygDeployment``.
The service on a socket: ``PtuServer``, or ``python -m local.ptu``.
"""

from local.ptu.config import ConfigError, DeploymentConfig, PtuServerConfig
from local.ptu.payg_deployment import PaygDeployment
from local.ptu.ptu_deployment import PtuDeployment
from local.ptu.server import PtuServer

__all__ = [
    "ConfigError",
    "DeploymentConfig",
    "PaygDeployment",
    "PtuDeployment",
    "PtuServer",
    "PtuServerConfig",
]
