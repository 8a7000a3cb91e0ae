"""One structured line per log record, on stderr, for the listener and its workers alike."""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import time
from typing import Any

INVOCATION_ID: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "invocation_id", default=None
)
"""The invocation whose code is running; every line logged meanwhile carries it."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# The SDKs report every request and link at INFO; one batch would be dozens of lines.
_QUIET = ("azure", "uvicorn", "asyncio", "aiohttp", "httpx2", "httpcore2")


class LineFormatter(logging.Formatter):
    """`time LEVEL logger message key=value ...`, never more than one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, its `extra` fields and its traceback, on one line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        invocation = INVOCATION_ID.get()
        if invocation and "invocation" not in fields:
            fields["invocation"] = invocation
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        text = record.getMessage().replace("\n", "\\n")
        head = f"{stamp}.{int(record.msecs):03d}Z {record.levelname} {record.name} {text}"
        return " ".join([head, *(f"{key}={_quoted(value)}" for key, value in fields.items())])


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    if text and not any(char.isspace() or char in '"=' for char in text):
        return text
    return json.dumps(text, ensure_ascii=False)


def configure_logging(level: str = "INFO") -> None:
    """Send every logger of this process to stderr, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
