"""``python -m local.ptu``: the simulated service as a process.

Prints one line, ``ready <url>``, when it accepts connections; ends on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from local.ptu.config import ConfigError, DeploymentConfig, PtuServerConfig, read_latency
from local.ptu.latency import ZERO_LATENCY
from local.ptu.server import DEFAULT_PORT, PtuServer
from local.serving import BEYOND_LOOPBACK, parser_of, serve

_TEXT_SETTINGS = frozenset({"name", "model", "spillover_to"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; returns the exit status."""
    options = _parser().parse_args(arguments)
    return serve(lambda: _server(options), name="local.ptu")


def _server(options: argparse.Namespace) -> PtuServer:
    return PtuServer(
        _config(options),
        host=options.host,
        port=options.port,
        beyond_loopback=options.beyond_loopback,
    )


def _config(options: argparse.Namespace) -> PtuServerConfig:
    described = [_deployment(text) for text in options.deployment]
    if options.deployments is not None:
        config = PtuServerConfig.from_file(options.deployments)
        config = replace(config, deployments=(*config.deployments, *described))
    else:
        config = PtuServerConfig(deployments=tuple(described))
    changes: dict[str, Any] = {
        name: value
        for name, value in (
            ("seed", options.seed),
            ("metric", options.metric),
            ("metric_delay_seconds", options.metric_delay),
            ("prompt_cache_seconds", options.prompt_cache),
            ("api_keys", tuple(options.api_key) or None),
            ("identity_header", options.identity_header),
            ("utilization_header", False if options.no_utilization_header else None),
            ("unlimited", True if options.unlimited else None),
        )
        if value is not None
    }
    config = replace(config, **changes)
    config.check()
    if options.zero_latency:
        return config.with_latency(ZERO_LATENCY)
    if options.latency is not None:
        return config.with_latency(read_latency(_pairs("--latency", options.latency)))
    return config


def _deployment(text: str) -> DeploymentConfig:
    """``name=…,model=…,ptus=…``, with any other setting of a deployment."""
    return DeploymentConfig.from_dict(_pairs("--deployment", text))


def _pairs(option: str, text: str) -> dict[str, Any]:
    """``name=value,…`` with numbers as numbers."""
    values: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"{option} {text!r}: expected name=value, got {part!r}")
        if name in _TEXT_SETTINGS:
            values[name] = value
            continue
        try:
            values[name] = int(value) if value.isdigit() else float(value)
        except ValueError as error:
            raise ConfigError(f"{option}: {name} must be a number, not {value!r}") from error
    return values


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "local.ptu",
        "Simulated Azure OpenAI deployments, their metrics and a managed identity.",
        port=DEFAULT_PORT,
    )
    add = parser.add_argument
    add(BEYOND_LOOPBACK, action="store_true", help="any --host will do: in a container")
    add("--deployments", type=Path, metavar="FILE", help="JSON: a list of deployments, or all")
    add(
        "--deployment",
        action="append",
        default=[],
        metavar="name=…,model=…,ptus=…",
        help="one deployment; may be repeated; without ptus it is pay-as-you-go (tpm=, rpm=)",
    )
    add("--seed", type=int, help="of answers and jitter (1)")
    add("--api-key", action="append", default=[], help="accepted key (local); may be repeated")
    add("--identity-header", help="value of IDENTITY_HEADER for the identity endpoint (local)")
    add("--metric", choices=("level", "load"), help="what the utilization metric means (level)")
    add("--metric-delay", type=float, metavar="SECONDS", help="until metrics are visible (60)")
    add("--prompt-cache", type=float, metavar="SECONDS", help="prompt cache lifetime; 0 is off")
    add("--no-utilization-header", action="store_true", help="as some endpoints do")
    add("--latency", metavar="name=value,…", help="of all deployments; see LatencyModel's fields")
    add("--zero-latency", action="store_true", help="answer at once")
    add("--unlimited", action="store_true", help="never refuse for want of capacity")
    return parser


if __name__ == "__main__":
    sys.exit(main())
