"""Log lines: one each, whatever is in them."""

import logging
import sys

from local.host.logs import INVOCATION_ID, LineFormatter


def line(message: str, *, failing: bool = False, **extra: object) -> str:
    record = logging.makeLogRecord({"name": "host", "levelname": "INFO", "msg": message, **extra})
    if failing:
        try:
            raise ValueError("two\nlines")
        except ValueError:
            record.exc_info = sys.exc_info()
    return LineFormatter().format(record)


def test_fields_follow_the_message() -> None:
    assert line("ended", function="f", duration_ms=1.5).endswith(
        "INFO host ended function=f duration_ms=1.5"
    )


def test_values_with_spaces_are_quoted() -> None:
    assert line("ended", error='a "b" c').endswith(r'error="a \"b\" c"')


def test_a_traceback_stays_on_the_line() -> None:
    text = line("failed\nbadly", failing=True)
    assert "\n" not in text
    assert "ValueError" in text


def test_a_line_names_the_invocation_it_was_logged_in() -> None:
    token = INVOCATION_ID.set("an-id")
    try:
        assert line("hello").endswith("hello invocation=an-id")
    finally:
        INVOCATION_ID.reset(token)
