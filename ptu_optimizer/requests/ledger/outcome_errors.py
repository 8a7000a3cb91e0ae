"""What the records of an attempt say besides what decides: who served, and why it failed."""

from __future__ import annotations

from ptu_optimizer.ports.stores import Success, Transient
from ptu_optimizer.requests.dispatch.route import Route
from ptu_optimizer.requests.item import JsonObject


def whereabouts(route: Route) -> JsonObject:
    """The deployment that serves, and why if it is not the request's own."""
    served: JsonObject = {"deployment": route.lane.deployment}
    if route.spilled_over:
        served |= {"spilled_over": True, "spilled_over_why": route.spilled_over}
    return served


def spilled_by_azure(result: Success) -> JsonObject:
    """For the books: such a call was paid for by the token."""
    if result.spilled_from is None:
        return {}
    return {
        "deployment": result.served_by or result.spilled_from,
        "spilled_over": "by Azure",
        "spilled_over_why": f"{result.spilled_from} was full, and Azure spills over from it",
    }


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
