"""Errors reach a caller in OpenAI's shape, with a status and what to do about it."""

from ptu_optimizer.errors import AppError, DependencyUnavailable, unavailable


def test_an_error_has_openais_shape() -> None:
    error = AppError("No such thing.", status=404, param="request_id", code="request_not_found")
    assert error.status == 404
    assert error.body() == {
        "error": {
            "message": "No such thing.",
            "type": "invalid_request_error",
            "param": "request_id",
            "code": "request_not_found",
        }
    }
    assert str(error) == "No such thing."


def test_what_is_not_known_is_null_and_not_left_out() -> None:
    assert AppError("x", status=400).body()["error"] == {
        "message": "x",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_details_are_there_only_if_there_are_any() -> None:
    details = [{"index": 3, "path": "body.messages", "reason": "is missing"}]
    assert AppError("x", status=400, details=details).body()["error"]["details"] == details
    assert "details" not in AppError("x", status=400).body()["error"]


def test_unavailable_is_a_503_that_says_when_to_come_back() -> None:
    error = unavailable("Cosmos DB cannot be reached.", code="dependency_unavailable")
    assert (error.status, error.kind) == (503, "service_unavailable")
    assert error.headers == {"Retry-After": "5"}
    assert unavailable("x", code="y", retry_after_seconds=30).headers == {"Retry-After": "30"}


def test_headers_of_one_error_are_its_own() -> None:
    shared = {"Retry-After": "5"}
    error = AppError("x", status=503, headers=shared)
    shared["Retry-After"] = "6"
    assert error.headers == {"Retry-After": "5"}


def test_a_dependency_that_is_away_is_named_with_the_reason() -> None:
    error = DependencyUnavailable("Event Hubs", "connection refused")
    assert str(error) == "Event Hubs cannot be reached: connection refused"
    assert (error.service, error.reason) == ("Event Hubs", "connection refused")
