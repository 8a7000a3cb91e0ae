"""The error that the user of `./dev` can do something about."""


class DevError(Exception):
    """Shown as one message without a traceback; the message says what to do."""
