"""What can go wrong with the local system, said so that its user can act."""

from local.dev.errors import DevError


class SystemFailed(DevError):
    """The local system could not be started, or did not stay up."""


class PartDied(SystemFailed):
    """A part ended although nobody stopped it; the message has the end of its log."""
