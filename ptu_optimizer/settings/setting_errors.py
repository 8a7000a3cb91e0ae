"""What is wrong with settings, said so that an operator can mend it; no secret is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo


class SettingsError(Exception):
    """Settings are missing or malformed.

    `complaints` say of each what is wrong and what it should look like, `names` are the settings
    alone. Neither holds a value of a secret.
    """

    def __init__(self, complaints: Sequence[str], names: Sequence[str]) -> None:
        super().__init__("The settings are not usable:\n- " + "\n- ".join(complaints))
        self.complaints = tuple(complaints)
        self.names = tuple(dict.fromkeys(names))


class Misfit(ValueError):
    """Settings that are well formed and do not go together. `names`: the ones to look at."""

    def __init__(self, message: str, *names: str) -> None:
        super().__init__(message)
        self.names = names


class Missing(ValueError):
    """A setting that is needed because another one is not there."""


class NotJson(ValueError):
    """A setting that should be JSON."""


class Complaints:
    """Turns what pydantic found into sentences and names of settings."""

    def __init__(self, fields: Mapping[str, FieldInfo]) -> None:
        """`fields` by their names; each has an alias, a description and an example."""
        self._fields = fields

    def error(self, entries: Sequence[dict[str, Any]]) -> SettingsError:
        return SettingsError(
            [self._complaint(entry) for entry in entries],
            [name for entry in entries for name in self._names(entry)],
        )

    def _complaint(self, entry: dict[str, Any]) -> str:
        location = entry["loc"]
        message = str(entry["msg"]).removeprefix("Value error, ")
        if not location:
            return message
        field = self._field(location[0])
        setting = location[0] if field is None else alias(field)
        where = ".".join(map(str, (setting, *location[1:])))
        problem = f"is malformed: {message}"
        match entry.get("ctx"):
            case {"error": NotJson()}:
                problem = "is not JSON"
            case {"error": Missing()}:
                problem = "is missing"
        if entry["type"] == "missing":
            problem = "is missing"
        return f"{where} {problem}" + ("" if field is None else f"; it {looks(field)}")

    def _names(self, entry: dict[str, Any]) -> tuple[str, ...]:
        if entry["loc"]:
            field = self._field(entry["loc"][0])
            return (str(entry["loc"][0]) if field is None else alias(field),)
        misfit = entry["ctx"]["error"]
        return misfit.names if isinstance(misfit, Misfit) else ()

    def _field(self, place: object) -> FieldInfo | None:
        """What a complaint is about: it has the alias, or its name if nothing was given."""
        for name, info in self._fields.items():
            if place in (info.alias, name):
                return info
        return None


def alias(field: FieldInfo) -> str:
    """The name of the app setting."""
    return str(field.alias)


def looks(field: FieldInfo) -> str:
    example = (field.examples or [""])[0]
    return f"should be the {field.description}, such as {example}"
