"""Microsoft's JavaScript clients: installed once under `.local`, on this machine's Node.js."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.dev import node, paths
from local.dev.errors import DevError
from local.dev.steps import lock

HERE = Path(__file__).parent
FOLDER = paths.STATE / "javascript"

NPM_OPTIONS = {"npm_config_fetch_retries": "1", "npm_config_fetch_retry_mintimeout": "1000"}
"""A machine without a registry is told so in seconds, not in minutes."""

_NO_NODE = "Node.js .* is needed"
_NO_REGISTRY = (
    r"npm (?:error|ERR!) code "
    r"(?:E401|E403|E404|ENOTFOUND|EAI_AGAIN|ECONN\w+|ENET\w+|EHOST\w+|ETIMEDOUT"
    r"|ERR_SOCKET_TIMEOUT|\w*CERT\w*|UNABLE_TO_\w+|ENOTCACHED)\b"
)


class Missing(RuntimeError):
    """This machine cannot have the packages; the message says why."""


@dataclass(frozen=True)
class Clients:
    """A Node.js, and the folder that holds the packages."""

    node: str
    folder: Path


def ensure(
    *,
    folder: Path = FOLDER,
    venv: Path = Path(sys.prefix),
    environ: Mapping[str, str] = os.environ,
    state: Path = paths.STATE,
) -> Clients:
    """Install what `package-lock.json` names, unless that is what is there.

    Raises `Missing` where there is no Node.js or no registry; `DevError` for whatever else fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with lock(state / "javascript-files.lock"):  # the tests run in several processes
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, folder / name)
    try:
        found = node.find(venv=venv, environ=environ)
        node.ensure_packages(
            "Microsoft's JavaScript clients",
            folder=folder,
            venv=venv,
            environ={**environ, **NPM_OPTIONS},
            state=state,
        )
    except DevError as error:
        reason = reason_to_skip(str(error))
        if reason is None:
            raise
        raise Missing(reason) from error
    return Clients(node=found.node, folder=folder)


def reason_to_skip(failure: str) -> str | None:
    """Why the packages cannot be had here; None if the failure is one to mend."""
    if re.search(_NO_NODE, failure):
        return "there is no Node.js 20 or newer"
    match = re.search(_NO_REGISTRY, failure)
    return f"npm has no registry ({match[0].rsplit(' ', 1)[1]})" if match else None
