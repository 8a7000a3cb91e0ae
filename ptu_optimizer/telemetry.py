"""Logging: a constant message, its details in `extra`, never a body or a key.

Azure's Python worker sends the host the text of a record and nothing else (`on_logging` in
Azure/azure-functions-python-worker `dispatcher.py`), so `extra` alone would be lost on its way to
Application Insights: the details follow the message, as `name=value`.
"""

from __future__ import annotations

import logging

ROOT = "ptu_optimizer"

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_TALKATIVE = ("azure",)
"""The SDKs report every HTTP request at INFO, which is the level of the worker's root logger: five
lines and more for each request of ours, all paid for."""


def logger(name: str) -> logging.Logger:
    """The logger of one module; queries find its messages by their constant beginning."""
    one = logging.getLogger(f"{ROOT}.{name}")
    one.addFilter(_details_follow)
    return one


def quiet_sdks() -> None:
    """Let the SDKs report warnings and errors only, unless someone has set their level already."""
    for name in _TALKATIVE:
        one = logging.getLogger(name)
        if one.level == logging.NOTSET:
            one.setLevel(logging.WARNING)


def _details_follow(record: logging.LogRecord) -> bool:
    details = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if details:
        shown = " ".join(f"{name}={value}" for name, value in details.items())
        record.msg, record.args = f"{record.getMessage()}: {shown}", None
        for name in details:
            delattr(record, name)
    return True
