"""Time spans as Azure writes them: `hh:mm:ss` or `d.hh:mm:ss`."""

from __future__ import annotations

import re

_SPAN = re.compile(
    r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{2}):(?P<seconds>\d{2}(?:\.\d{1,7})?)"
)


def parse_span(text: str) -> float:
    """Seconds in `text`; `ValueError` says what was expected."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"expected hh:mm:ss, got {text!r}")
    hours, minutes = int(match["hours"]), int(match["minutes"])
    seconds = float(match["seconds"])
    if hours > 23 or minutes > 59 or seconds >= 60:
        raise ValueError(f"expected hh:mm:ss within a day, got {text!r}")
    return int(match["days"] or 0) * 86_400 + hours * 3_600 + minutes * 60 + seconds
