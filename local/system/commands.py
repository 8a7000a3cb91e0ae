"""The command line of each part, from the options."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.dev import node, paths
from local.dev.environment import clean_environ
from local.system.data import KEYS, SETTINGS
from local.system.options import Options
from local.system.part import READY, Part
from local.system.ports import LOOPBACK
from local.system.settings import IDENTITY_HEADER, OPENAI_KEY, app_settings

AZURITE_READY = re.compile(r"^Azurite Blob service successfully listens on (\S+)", re.MULTILINE)
AZURITE_SCRIPT = paths.AZURITE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"

HUB_RETENTION_HOURS = 168
"""As long as HUB_RETENTION_SECONDS says by default: no event leaves before its deadline."""


@dataclass(frozen=True)
class Keys:
    """The keys that the Functions hosts accept, by level."""

    function: str
    """The app's default host key: opens every function of level FUNCTION."""
    master: str
    """Opens everything, the host's own `/admin` too."""


class Commands:
    """Builds the parts, which inherit `environ`. The supervisor's tests hand out stand-ins."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def azurite(self, options: Options) -> Part:
        """The storage account. SIGTERM even when orphaned: a SIGKILL loses its last second."""
        found = node.find(venv=Path(sys.prefix), environ=self._environ)
        return self._part(
            options,
            "azurite",
            [
                *(found.node, str(AZURITE_SCRIPT)),
                *("--blobHost", LOOPBACK, "--blobPort", str(options.ports.blobs)),
                *("--silent", "--disableTelemetry", "--skipApiVersionCheck"),
                *_azurite_store(options.data),
            ],
            ready=AZURITE_READY,
            signal_when_orphaned=signal.SIGTERM,
        )

    def servers(self, options: Options) -> list[Part]:
        """Event Hubs, Cosmos DB and Azure OpenAI, in no particular order."""
        ports = options.ports
        hubs = [f"{name}:{partitions}" for name, partitions in options.hubs.items()]
        event_hubs = [
            *("--port", str(ports.event_hubs), "--retention-hours", str(HUB_RETENTION_HOURS)),
            *_each("--hub", hubs),
        ]
        cosmos = ["--port", str(ports.cosmos)]
        ptu = [
            *("--port", str(ports.ptu), "--seed", str(options.seed)),
            *_each("--deployment", [one.argument() for one in options.deployments]),
            *("--api-key", OPENAI_KEY, "--identity-header", IDENTITY_HEADER),
            *options.ptu_arguments,
        ]
        if options.data is not None:
            event_hubs += ["--data", str(options.data / "event_hubs")]
            cosmos += ["--data", str(options.data / "cosmos")]
        return [
            self._module(options, "event_hubs", event_hubs),
            self._module(options, "cosmos", cosmos),
            self._module(options, "ptu", ptu),
        ]

    def host(self, options: Options, *, index: int, folder: Path) -> Part:
        """A Functions host that runs the app."""
        arguments = [
            *("--app", str(options.app), "--port", str(options.ports.host + index)),
            *("--settings", str(settings_file(folder)), "--keys", str(keys_file(folder))),
            *("--grace", f"{options.host_grace_seconds:g}"),
            *(["--isolate"] if options.isolate else []),
        ]
        # the environment wins over the settings file, as with `func start`: what the developer's
        # shell happens to hold must not redirect this host to another system
        held_back = app_settings(options).keys()
        return self._module(options, "host", arguments, name=f"host-{index}", without=held_back)

    def write_settings(self, folder: Path, settings: Mapping[str, str]) -> None:
        """The settings in the form of `local.settings.json`."""
        _write(settings_file(folder), {"IsEncrypted": False, "Values": dict(settings)})

    def write_keys(self, folder: Path) -> Keys:
        """The keys of this system: drawn once, kept as long as its data."""
        file = keys_file(folder)
        if not file.is_file():
            default, master = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
            content = {"masterKey": master, "functionKeys": {"default": default}, "functions": {}}
            _write(file, content)
        written = json.loads(file.read_text())
        return Keys(function=written["functionKeys"]["default"], master=written["masterKey"])

    def _module(
        self,
        options: Options,
        module: str,
        arguments: Sequence[str],
        *,
        name: str | None = None,
        without: Collection[str] = (),
    ) -> Part:
        command = [sys.executable, "-m", f"local.{module}", *arguments]
        return self._part(options, name or module, command, without=without)

    def _part(
        self,
        options: Options,
        name: str,
        command: Sequence[str],
        *,
        ready: re.Pattern[str] = READY,
        signal_when_orphaned: signal.Signals = signal.SIGKILL,
        without: Collection[str] = (),
    ) -> Part:
        environ = {**clean_environ(self._environ), "PYTHONUNBUFFERED": "1"}
        return Part(
            name=name,
            command=command,
            log=options.logs / f"{name}.log",
            environ={name: value for name, value in environ.items() if name not in without},
            cwd=paths.ROOT,
            ready=ready,
            signal_when_orphaned=signal_when_orphaned,
        )


def settings_file(folder: Path) -> Path:
    return folder / SETTINGS


def keys_file(folder: Path) -> Path:
    return folder / KEYS


def _azurite_store(data: Path | None) -> list[str]:
    return ["--inMemoryPersistence"] if data is None else ["--location", str(data / "azurite")]


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [part for value in values for part in (option, value)]


def _write(file: Path, content: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(content, indent=2) + "\n")
