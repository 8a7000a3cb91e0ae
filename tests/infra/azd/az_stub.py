"""A stand-in for `az` and `azd`: answers from a table, and writes down what it was asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from infra.scripts.tools import Done

MISSING = Done(3, "", "ERROR: (ResourceNotFound) The Resource 'x' was not found.")
NO_RIGHTS = Done(1, "", "ERROR: (AuthorizationFailed) The client 'me' has no authorization.")
NO_LOGIN = Done(1, "", "ERROR: Please run 'az login' to setup account.")
BROKEN = Done(1, "", "ERROR: (InternalServerError) Something went wrong.")


class AzStub:
    """`answers`: the beginning of a command line, and its answer. The longest one that fits counts.
    A `Done` is handed on as it is, a list of answers is used up one by one, anything else is
    printed as JSON. A command without an answer ends with 0 and prints nothing."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.calls: list[list[str]] = []

    def __call__(self, command: Sequence[str]) -> Done:
        self.calls.append(list(command))
        line = " ".join(command)
        fitting = [begins for begins in self.answers if line.startswith(begins)]
        if not fitting:
            return Done(0, "", "")
        answer = self.answers[max(fitting, key=len)]
        if isinstance(answer, list) and answer and isinstance(answer[0], Done):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer if isinstance(answer, Done) else Done(0, json.dumps(answer), "")

    def lines(self, begins: str = "") -> list[str]:
        """What it was asked, as command lines."""
        found = [" ".join(call) for call in self.calls]
        return [line for line in found if line.startswith(begins)]


def printed(value: Any) -> Done:
    """An answer in JSON, for a list of answers."""
    return Done(0, json.dumps(value), "")


def deployment(
    account: str,
    name: str,
    *,
    model: str = "gpt-4.1",
    version: str = "2025-04-14",
    sku: str = "GlobalProvisionedManaged",
    capacity: int = 50,
    tags: dict[str, str] | None = None,
) -> dict[str, Any]:
    """One entry of Azure's list of deployments."""
    return {
        "id": f"{account}/deployments/{name}",
        "name": name,
        "sku": {"name": sku, "capacity": capacity},
        "properties": {"model": {"format": "OpenAI", "name": model, "version": version}},
        "tags": tags,
    }
