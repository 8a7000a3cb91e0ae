"""Rules for what is asked for: from azd's variables to the list of what is wrong with them.

Nothing here asks Azure, a file or a person. What has to be asked of Azure is in
infra/scripts/state. Each problem says what is wrong and how to mend it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.scripts.questions import quoted

CREATED_SPILLOVER = "payg"
"""Name of the pay-as-you-go deployment that infra/main.bicep creates; it has no variable."""


@dataclass(frozen=True)
class Inputs:
    """What is asked for, and the tables that it is checked against."""

    env: Mapping[str, str]
    sizes: Mapping[str, Any]
    """infra/ptu-models.json."""
    known_models: frozenset[str]
    """The app's sizing table, without the setting MODELS."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The object `settings` of infra/main.parameters.json."""
    refused_settings: tuple[str, ...] = ()
    """Names that Flex Consumption refuses; a star at the end stands for anything."""

    def text(self, name: str, default: str = "") -> str:
        """azd takes the default for an empty value, too."""
        return self.env.get(name) or default

    @property
    def app_settings(self) -> dict[str, str]:
        """The object `settings` by upper-case name: the app reads names without regard to case."""
        return {name.upper(): value for name, value in as_app_settings(self.settings).items()}

    def number(self, name: str, default: int) -> int | None:
        """None where azd would not read it as a number, which inputs/words.py tells."""
        text = self.env.get(name) or str(default)
        return int(text) if is_number(text) else None


def as_app_settings(settings: Mapping[str, Any]) -> dict[str, str]:
    """As `string(…)` of Bicep makes a text of each value."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for name, value in settings.items()
    }


def is_number(text: str) -> bool:
    """As Go's strconv.ParseInt reads base 10: ASCII digits, perhaps after a sign, in 64 bits."""
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not (digits.isascii() and digits.isdigit()):
        return False
    return -(2**63) <= int(text) < 2**63


def mend(name: str, value: str) -> str:
    """The command that mends an input, on a line of its own."""
    return f"\n    azd env set {name} {quoted(value)}"
