"""The errors of outcomes that no call brought: what callers read as the reason."""

from __future__ import annotations

from ptu_optimizer.ports.documents import JsonObject
from ptu_optimizer.ports.model_calls import Transient


def exhausted(failures: int, last: Transient | None) -> JsonObject:
    why = "its workers were lost" if last is None else last.why
    error: JsonObject = {
        "message": f"Gave up after {failures} failed attempts (MAX_FAILURES); the last: {why}.",
        "type": "server_error",
        "param": None,
        "code": "attempts_exhausted",
    }
    if last is not None and last.error:
        error["last_error"] = dict(last.error)
    return error


def input_missing(why: str) -> JsonObject:
    return {
        "message": f"The input cannot be read: {why}.",
        "type": "server_error",
        "param": None,
        "code": "input_missing",
    }


def deadline_exceeded(*, why: str, attempted: bool, spillover: str | None = None) -> JsonObject:
    """The error of an expired request. `why` it waited last; `spillover`: what came of that, if its
    policy asked for it."""
    message = (
        "The deadline passed after attempts that had to be given up"
        if attempted
        else "The deadline passed before there was room for this request"
    )
    message += f". Why it waited last: {why}."
    if spillover is not None:
        message += f" Spillover: {spillover}."
    return {
        "message": message,
        "type": "expired_error",
        "param": "deadline",
        "code": "deadline_exceeded",
    }
