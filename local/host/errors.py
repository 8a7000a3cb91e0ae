"""What stops the host from starting, and what fails one invocation."""

from __future__ import annotations


class HostError(Exception):
    """Base of the host's own errors."""


class RefusedError(HostError):
    """The app or a setting asks for something that Azure, or this host, does not do.

    Raised at start only, and always names the function, setting or option to change.
    """


class WorkerLostError(HostError):
    """The worker process ended (crash, kill, function timeout) while it ran this invocation."""


class ForwardError(HostError):
    """An HTTP request, or its answer, did not come through between caller and worker.

    `status` is the answer for a caller that has none yet.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class DrainingError(HostError):
    """The host is stopping and starts nothing new."""
