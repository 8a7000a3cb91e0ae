"""Access keys, checked as Azure checks them: `x-functions-key` header, else `?code=`."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.host.errors import RefusedError

KEY_HEADER = b"x-functions-key"
KEY_PARAMETER = "code"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The keys of one app: master, host-wide, and per function (by key name)."""

    master: str
    host: Mapping[str, str]
    functions: Mapping[str, Mapping[str, str]]

    def allows(self, *, level: str, function: str, key: str | None) -> bool:
        """Whether `key` opens `function`, whose auth level is `level`."""
        if level == "anonymous":
            return True
        if not key:
            return False
        accepted = [self.master]
        if level == "function":
            accepted += [*self.host.values(), *self.functions.get(function, {}).values()]
        return any(hmac.compare_digest(key.encode(), known.encode()) for known in accepted)

    def is_master(self, key: str | None) -> bool:
        """Whether `key` is the master key, which the host's own endpoints need."""
        return bool(key) and hmac.compare_digest(str(key).encode(), self.master.encode())


def load_keys(path: Path, functions: Iterable[str]) -> Keys:
    """Read `path`, first writing what it lacks: the file itself, or keys of new functions.

    Hosts side by side share the file; the first to write it wins and the others read that.
    """
    names = list(functions)
    if not path.exists():
        _create(path, _document(names))
    content = _read(path)
    missing = [name for name in names if name not in content["functions"]]
    if missing:
        content["functions"].update({name: {"default": _new_key()} for name in missing})
        _replace(path, content)
    return Keys(
        master=content["masterKey"], host=content["functionKeys"], functions=content["functions"]
    )


def _new_key() -> str:
    return secrets.token_urlsafe(32)


def _document(functions: Iterable[str]) -> dict[str, Any]:
    return {
        "masterKey": _new_key(),
        "functionKeys": {"default": _new_key()},
        "functions": {name: {"default": _new_key()} for name in functions},
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
        master, host, functions = (
            content["masterKey"],
            content["functionKeys"],
            content["functions"],
        )
        sound = isinstance(master, str) and len(master) > 0 and isinstance(host, dict)
        sound = sound and all(isinstance(keys, dict) for keys in functions.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(f"--keys: {path} is not a keys file: {error!r}") from None
    if not sound:
        raise RefusedError(f"--keys: {path} is not a keys file: masterKey or functionKeys is wrong")
    return dict(content)


def _staged(path: Path, content: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    return staged


def _create(path: Path, content: Mapping[str, Any]) -> None:
    staged = _staged(path, content)
    try:
        os.link(staged, path)  # fails if another host was first
    except FileExistsError:
        pass
    finally:
        staged.unlink()


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    _staged(path, content).replace(path)
