"""What the service answers instead of doing as asked: status, code, sub-status and message."""

from __future__ import annotations

from enum import IntEnum


class SubStatus(IntEnum):
    """Cosmos DB's second status code, in `x-ms-substatus`."""

    NONE = 0
    PARTITION_KEY_MISMATCH = 1001
    OWNER_NOT_FOUND = 1003
    """The database or the container that a request needs does not exist."""
    COLLECTION_RID_MISMATCH = 1024
    """The container was deleted and made again since the client cached it."""
    RU_BUDGET_EXCEEDED = 3200


class CosmosError(Exception):
    """A refusal. The front turns it into a response, a batch into the result of an operation."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        message: str,
        substatus: int = SubStatus.NONE,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.substatus = substatus
        self.retry_after_ms = retry_after_ms


def bad_request(message: str, substatus: int = SubStatus.NONE) -> CosmosError:
    """400: the request is wrong, or outside what is served here."""
    return CosmosError(status=400, code="BadRequest", message=message, substatus=substatus)


def not_served(what: str) -> CosmosError:
    """400: Azure may know this, the local server does not."""
    return bad_request(f"{what}: not part of what the local Cosmos DB serves")


def unauthorized(message: str) -> CosmosError:
    """401: no token, or one that the key did not sign."""
    return CosmosError(status=401, code="Unauthorized", message=message)


def forbidden(message: str) -> CosmosError:
    """403: signed with the right key, but not now."""
    return CosmosError(status=403, code="Forbidden", message=message)


def not_found(
    message: str = "Resource Not Found. Entity with the specified id does not exist in the system.",
) -> CosmosError:
    """404: no such item, container or database."""
    return CosmosError(status=404, code="NotFound", message=message)


def owner_not_found() -> CosmosError:
    """404/1003: what the resource would be in does not exist."""
    return CosmosError(
        status=404,
        code="NotFound",
        message="Owner resource does not exist",
        substatus=SubStatus.OWNER_NOT_FOUND,
    )


def conflict() -> CosmosError:
    """409: the id is taken."""
    return CosmosError(
        status=409,
        code="Conflict",
        message="Entity with the specified id already exists in the system.",
    )


def precondition_failed() -> CosmosError:
    """412: the etag has moved on."""
    return CosmosError(
        status=412,
        code="PreconditionFailed",
        message="Operation cannot be performed because one of the specified precondition is not "
        "met.",
    )


def too_large() -> CosmosError:
    """413: more than 2 MiB."""
    return CosmosError(
        status=413, code="RequestEntityTooLarge", message="Request size is too large"
    )


def throttled(retry_after_ms: int) -> CosmosError:
    """429 with how long to wait."""
    return CosmosError(
        status=429,
        code="TooManyRequests",
        message="Request rate is large. More Request Units may be needed.",
        substatus=SubStatus.RU_BUDGET_EXCEEDED,
        retry_after_ms=retry_after_ms,
    )


def unavailable(status: int) -> CosmosError:
    """408 or 503: whether anything was written is not said."""
    code, message = {
        408: ("RequestTimeout", "The operation timed out."),
        503: ("ServiceUnavailable", "The service is currently unavailable."),
    }.get(status, ("InternalServerError", "The service failed."))
    return CosmosError(status=status, code=code, message=message)
