"""What reaches Application Insights is the text of a record: details must be in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from ptu_optimizer.telemetry import logger, quiet_sdks


@pytest.fixture
def sdk() -> Iterator[logging.Logger]:
    one = logging.getLogger("azure")
    level = one.level
    one.setLevel(logging.NOTSET)
    yield one
    one.setLevel(level)


def test_details_follow_their_constant_message(caplog: pytest.LogCaptureFixture) -> None:
    logger("test").warning("it failed", extra={"reason": "a % of b", "hub": "requests"})
    assert caplog.messages == ["it failed: reason=a % of b hub=requests"]


def test_a_message_without_details_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    logger("test").warning("%s failed", "it")
    assert caplog.messages == ["it failed"]


def test_asking_twice_for_a_logger_tells_details_once(caplog: pytest.LogCaptureFixture) -> None:
    logger("test")
    logger("test").warning("it failed", extra={"hub": "requests"})
    assert caplog.messages == ["it failed: hub=requests"]


def test_a_traceback_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        logger("test").exception("it failed", extra={"hub": "requests"})
    assert "it failed: hub=requests" in caplog.text
    assert "ValueError: why" in caplog.text


def test_sdks_report_what_is_wrong_and_no_request(sdk: logging.Logger) -> None:
    quiet_sdks()
    transport = logging.getLogger("azure.core.pipeline.policies.http_logging_policy")
    assert not transport.isEnabledFor(logging.INFO)
    assert transport.isEnabledFor(logging.WARNING)


def test_a_level_that_someone_has_set_stands(sdk: logging.Logger) -> None:
    sdk.setLevel(logging.DEBUG)
    quiet_sdks()
    assert sdk.level == logging.DEBUG
