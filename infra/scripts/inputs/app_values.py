"""How the app reads a value: numbers, texts, words, JSON. Nothing but the standard library.

As pydantic reads them in ptu_optimizer/settings/; app_rules.py says which setting is what.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Check = Callable[[str], str]
"""From the value to what is wrong with it; nothing is wrong: an empty text."""


@dataclass(frozen=True)
class Number:
    """A number, with the limits that pydantic's `Field` has."""

    gt: float | None = None
    ge: float | None = None
    le: float | None = None
    whole: bool = False

    def __call__(self, text: str) -> str:
        return self.wrong(text)

    def wrong(self, value: Any) -> str:
        number = whole(value) if self.whole else real(value)
        if number is None:
            return "is not a whole number" if self.whole else "is not a number"
        if self.gt is not None and number <= self.gt:
            return f"must be above {self.gt:g}"
        if self.ge is not None and number < self.ge:
            return f"must be {self.ge:g} or more"
        if self.le is not None and number > self.le:
            return f"must be {self.le:g} at most"
        return ""


@dataclass(frozen=True)
class Text:
    """A text of some form."""

    pattern: str = ""
    least: int = 0

    def __call__(self, text: str) -> str:
        # in Python `$` also matches before a line's end, in the app's rules it does not
        if self.pattern and not re.search(self.pattern.replace("$", r"\Z"), text):
            return "does not have the right form"
        return f"must have {self.least} characters or more" if len(text) < self.least else ""


@dataclass(frozen=True)
class Word:
    """One of some words."""

    words: tuple[str, ...]

    def __call__(self, text: str) -> str:
        return "" if text in self.words else f"must be one of {', '.join(self.words)}"


def whole(value: Any) -> int | None:
    """As the app reads a whole number: 50, "50" and 50.0 are one, 50.5 is none."""
    if isinstance(value, str):
        if not re.fullmatch(r"\s*[+-]?[0-9]+(_[0-9]+)*(\.0+)?\s*", value):
            return None
        value = value.strip().replace("_", "")
        return int(value.split(".")[0])
    if isinstance(value, float) and value != int(value):
        return None
    return int(value) if isinstance(value, (bool, int, float)) else None


def real(value: Any) -> float | None:
    """As the app reads a number; neither infinity nor "not a number" is one."""
    if isinstance(value, str) and not value.isascii():
        return None
    try:
        number = float(value) if isinstance(value, (bool, int, float, str)) else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < float("inf") else None


def parsed(text: str) -> Any:
    """JSON. Raises ValueError, also for NaN and Infinity, which are none."""

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


# --- settings that are JSON ----------------------------------------------------------------------

COUNT = Number(gt=0, whole=True)
SHARE = Number(ge=0), Number(gt=0, le=1)


def _object(
    value: Any, what: str, *, required: Mapping[str, Check], optional: Mapping[str, Check]
) -> str:
    if not isinstance(value, dict):
        return f"{what} is no JSON object"
    for key in required.keys() - value.keys():
        return f"{what} has no {key}"
    known = {**required, **optional}
    for key, one in value.items():
        if key not in known:
            return f"{what} has {key!r}, which nothing reads"
        if one is None and key in optional:
            continue
        wrong = known[key](one)
        if wrong:
            return f"{what} has {key} {one!r}, which {wrong}"
    return ""


def _name(value: Any) -> str:
    return "" if isinstance(value, str) and value else "must be a name"


def _matches(pattern: str, otherwise: str) -> Check:
    """A text of some form; `$` is the end, not a line's."""

    def check(value: Any) -> str:
        good = isinstance(value, str) and re.search(pattern.replace("$", r"\Z"), value)
        return "" if good else otherwise

    return check


def _any_text(value: Any) -> str:
    return "" if isinstance(value, str) else "must be a text"


def _names(value: Any) -> str:
    good = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return "" if good else "must be a JSON array of names"


def _listed(text: str, entry: Callable[[Any, str], str], *, least: int) -> str:
    try:
        value = parsed(text)
    except ValueError:
        return "is no JSON"
    if not isinstance(value, list):
        return "is no JSON array"
    if len(value) < least:
        return "names nothing"
    wrong = (entry(one, f"its entry {place}") for place, one in enumerate(value, start=1))
    return next((one for one in wrong if one), "")


PLACE: Mapping[str, Check] = {
    "deployment": _name,
    "endpoint": _matches(r"^https?://", "must be a URL"),
    "resource_id": _matches(
        r"(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/", "must be a resource id"
    ),
    "monitor_endpoint": _matches(r"^https?://", "must be a URL"),
    "api_version": _matches(
        r"^(v1|[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?)$", "must be v1 or a dated version"
    ),
    "api_key_setting": _matches(r"^[A-Za-z_][A-Za-z0-9_]*$", "must be the name of a setting"),
}
"""What a deployment of another resource says of its place."""


def _placed(value: Any, what: str, *, needs_metrics: bool) -> str:
    """Parts that only make sense together, as the app has it."""
    if value.get("endpoint") is None:
        for key in ("resource_id", "monitor_endpoint", "api_key_setting"):
            if value.get(key) is not None:
                return f"{what} has {key}, which belongs to an endpoint"
    elif needs_metrics and value.get("resource_id") is None:
        return f"{what} has an endpoint and no resource_id, so no metric of it can be read"
    return ""


def deployments(text: str) -> str:
    """DEPLOYMENTS alone."""
    return _listed(
        text,
        lambda value, what: (
            _object(
                value,
                what,
                required={"name": _name, "model": _any_text, "ptus": COUNT.wrong},
                optional={"spillover": _name, **PLACE},
            )
            or _placed(value, what, needs_metrics=True)
        ),
        least=1,
    )


def spillover_deployments(text: str) -> str:
    """SPILLOVER_DEPLOYMENTS alone."""
    return _listed(
        text,
        lambda value, what: (
            _object(
                value,
                what,
                required={"name": _name, "model": _name, "tpm": COUNT.wrong},
                optional={"rpm": COUNT.wrong, "stands_in_for": _names, **PLACE},
            )
            or _placed(value, what, needs_metrics=False)
        ),
        least=0,
    )


def models(text: str) -> str:
    """MODELS. A line may have more than the app reads."""
    try:
        value = parsed(text)
    except ValueError:
        return "is no JSON"
    if not isinstance(value, dict):
        return "is no JSON object"
    above = Number(gt=0)
    for name, line in value.items():
        if not isinstance(line, dict):
            return f"has {name!r}, whose value is no JSON object"
        for key in ("input_tpm_per_ptu", "output_ratio"):
            wrong = above.wrong(line[key]) if key in line else "is missing"
            if wrong:
                return f"has {name!r}, whose {key} {wrong}"
    return ""


def priority_limits(text: str) -> str:
    """PRIORITY_LIMITS."""
    try:
        value = parsed(text)
    except ValueError:
        return "is no JSON"
    if not isinstance(value, dict):
        return "is no JSON object"
    lower, upper = SHARE
    for name, limits in value.items():
        if name not in {"high", "normal"}:
            return f"has {name!r}; there are high and normal"
        wrong = _object(
            limits, name, required={"lower": lower.wrong, "upper": upper.wrong}, optional={}
        )
        if wrong:
            return wrong
        if (real(limits["lower"]) or 0) >= (real(limits["upper"]) or 0):
            return f"has {name!r}, whose lower must be below upper"
    return ""
