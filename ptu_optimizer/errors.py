"""Errors that reach a caller, in OpenAI's error shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class AppError(Exception):
    """An error with an HTTP status and a message that says what to do about it."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        details: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.details = details
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The response body: `{"error": {"message", "type", "param", "code"}}`."""
        error: dict[str, Any] = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        if self.details is not None:
            error["details"] = self.details
        return {"error": error}


def unavailable(message: str, *, code: str, retry_after_seconds: int = 5) -> AppError:
    """503: nothing was promised (or the message says what may have been); try again."""
    return AppError(
        message,
        status=503,
        kind="service_unavailable",
        code=code,
        headers={"Retry-After": str(retry_after_seconds)},
    )


def dependency_unavailable(error: DependencyUnavailable, consequence: str = "") -> AppError:
    """503: a service is away. `consequence` says what that means for the caller, such as
    "; nothing was accepted"."""
    return unavailable(
        f"{error.service} cannot be reached{consequence}. Try again.",
        code="dependency_unavailable",
    )


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """How large the body of a call may be."""

    most: int
    """Bytes."""
    why: str
    """The name of its setting, or what it rests on."""

    def check(self, size: int) -> None:
        """Raises AppError, with status 413, if a body of this many bytes is too large."""
        if size > self.most:
            raise AppError(
                f"The body is larger than {self.most} bytes ({self.why}).",
                status=413,
                code="body_too_large",
            )


class BadSettings(AppError):
    """The app cannot work with its settings. Anybody may read it: it names the settings only."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"The settings of the app are not usable: {', '.join(names)}. "
            "Its log says what each should look like.",
            status=503,
            kind="service_unavailable",
            code="bad_settings",
            details=[{"setting": name} for name in names],
            headers={"Retry-After": "60"},
        )


class DependencyUnavailable(Exception):
    """A service this app stands on cannot be reached now. Transient; adapters raise it."""

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service} cannot be reached: {reason}")
        self.service = service
        self.reason = reason
