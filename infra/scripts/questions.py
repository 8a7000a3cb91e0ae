"""Questions that cost something: answered by a typed word, or by a variable without a terminal.

    meant = confirmed(
        "Delete these deployments?", word="dev", variable="DOWN_CONFIRMED", value="dev", env=env
    )

True: it is meant. False: the person typed something else. Without a terminal, and without the
variable, HookError says which variable answers. A hook never waits where nobody can type.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.scripts.tools import HookError


@dataclass(frozen=True)
class Terminal:
    """Where a person can type. Tests hand in one of their own."""

    there: bool
    read: Callable[[str], str] = input

    def typed(self, prompt: str) -> str:
        """What the person typed; nothing where the input has ended."""
        try:
            return self.read(prompt).strip()
        except EOFError:
            return ""


def in_pipeline(env: Mapping[str, str]) -> bool:
    """GitHub sets CI, Azure Pipelines TF_BUILD."""
    return any(_set(env.get(name)) for name in ("CI", "TF_BUILD", "GITHUB_ACTIONS"))


def terminal(env: Mapping[str, str]) -> Terminal:
    """The terminal of this process. A pipeline has none, even where stdin looks like one."""
    there = sys.stdin is not None and sys.stdin.isatty()
    return Terminal(there=there and not in_pipeline(env))


def confirmed(
    question: str,
    *,
    word: str,
    variable: str,
    value: str,
    env: Mapping[str, str],
    where: Terminal | None = None,
) -> bool:
    """Whether it is meant. Raises HookError where nobody can type and no variable answers."""
    if env.get(variable) == value:
        return True
    where = terminal(env) if where is None else where
    if not where.there:
        raise HookError(
            f"{question}\nIf that is meant:\n    azd env set {variable} {quoted(value)}"
        )
    return where.typed(f"{question}\nType {word} to go on: ") == word


def quoted(value: str) -> str:
    """As an argument that sh and PowerShell both read as it is."""
    plain = value and all(one.isalnum() or one in "-_./:" for one in value)
    return value if plain else f"'{value}'"


def _set(value: str | None) -> bool:
    return (value or "").lower() not in {"", "0", "false"}
