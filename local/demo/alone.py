"""What interactive users would have felt without the batch. Pure: no second run is needed.

A call of the trace reserves exactly what it uses, so nothing is corrected at its end: whether the
PTU refuses one depends on the calls that arrived before it and on nothing else. The same calls at
the same times on a second, empty deployment therefore tell exactly what would have been.
"""

from __future__ import annotations

from collections.abc import Iterable

from local.ptu import PtuDeployment
from local.ptu.calls import Refused
from local.traffic.trace import Call


def refused_alone(calls: Iterable[Call], deployment: PtuDeployment) -> int:
    """How many of these calls a deployment refuses that has nothing else to do.

    `deployment` is empty, its clock stands where the calls' times begin.
    """
    verdicts = (
        deployment.arrive(
            now=call.at, prompt_tokens=call.prompt_tokens, max_tokens=call.output_tokens
        )
        for call in calls
    )
    return sum(isinstance(verdict, Refused) for verdict in verdicts)
