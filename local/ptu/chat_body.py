"""The body of a chat-completions call, refused as strictly as Azure refuses it. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from local.ptu.errors import invalid

__all__ = ["ChatBody", "parse_chat_body"]

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_PART_TYPES = ("text", "image_url", "input_audio", "refusal", "file")


class ChatBody(NamedTuple):
    """What the simulator uses of a valid body; fields that it does not know are let through."""

    values: dict[str, Any]
    max_tokens: int | None
    stream: bool
    include_usage: bool


def parse_chat_body(raw: bytes) -> ChatBody:
    """Parse and check a body; raises ``ApiError`` 400."""
    try:
        values = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise invalid(
            "We could not parse the JSON body of your request. (HINT: This likely means you "
            "aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but "
            "what was sent was not valid JSON.)"
        ) from error
    if not isinstance(values, dict):
        raise _wrong_type("body", "an object", values)
    _check_messages(values)
    max_tokens = _max_tokens(values)
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1)):
        _check_number(values, name, low, high)
    if values.get("n", 1) not in (1, None):
        raise invalid("The simulated deployment serves n = 1 only.", param="n")
    stream = _boolean(values, "stream")
    options = values.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _wrong_type("stream_options", "an object", options)
    if options is not None and not stream:
        raise invalid(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    include_usage = _boolean(options, "include_usage") if options else False
    return ChatBody(values, max_tokens, stream, include_usage)


def _check_messages(values: dict[str, Any]) -> None:
    if "messages" not in values:
        raise invalid(
            "Missing required parameter: 'messages'.",
            param="messages",
            code="missing_required_parameter",
        )
    messages = values["messages"]
    if not isinstance(messages, list):
        raise _wrong_type("messages", "an array of objects", messages)
    if not messages:
        raise invalid(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            param="messages",
            code="empty_array",
        )
    for index, message in enumerate(messages):
        _check_message(f"messages[{index}]", message)


def _check_message(path: str, message: object) -> None:
    if not isinstance(message, dict):
        raise _wrong_type(path, "an object", message)
    role = message.get("role")
    if role is None:
        raise invalid(
            f"Missing required parameter: '{path}.role'.",
            param=f"{path}.role",
            code="missing_required_parameter",
        )
    if role not in _ROLES:
        listed = ", ".join(f"'{name}'" for name in _ROLES[:-1])
        raise invalid(
            f"Invalid value: '{role}'. Supported values are: {listed}, and '{_ROLES[-1]}'.",
            param=f"{path}.role",
            code="invalid_value",
        )
    content = message.get("content")
    if isinstance(content, str):
        return
    if content is None:
        # Only an assistant's turn may be without: it called tools, or a function, or refused.
        if role == "assistant" and any(
            message.get(name) for name in ("tool_calls", "function_call", "refusal")
        ):
            return
        raise invalid(
            f"Invalid value for 'content': expected a string, got null. ({path})",
            param=f"{path}.content",
        )
    if not isinstance(content, list):
        raise _wrong_type(f"{path}.content", "one of a string or array of objects", content)
    for index, part in enumerate(content):
        where = f"{path}.content[{index}]"
        if not isinstance(part, dict):
            raise _wrong_type(where, "an object", part)
        if part.get("type") not in _PART_TYPES:
            raise invalid(
                f"Invalid value: '{part.get('type')}'. Supported values are: "
                f"{', '.join(repr(name) for name in _PART_TYPES)}.",
                param=f"{where}.type",
                code="invalid_value",
            )
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            raise _wrong_type(f"{where}.text", "a string", part.get("text"))


def _max_tokens(values: dict[str, Any]) -> int | None:
    given = [n for n in ("max_tokens", "max_completion_tokens") if values.get(n) is not None]
    for name in given:
        value = values[name]
        if type(value) is not int:
            raise _wrong_type(name, "an integer", value)
        if value < 1:
            raise invalid(
                f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got "
                f"{value} instead.",
                param=name,
                code="integer_below_min_value",
            )
    if len(given) == 2:
        raise invalid(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )
    return values[given[0]] if given else None


def _check_number(values: dict[str, Any], name: str, low: float, high: float) -> None:
    value = values.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(name, "a decimal", value)
    if not low <= value <= high:
        side, sign, bound = ("below minimum", ">=", low) if value < low else (
            "above maximum", "<=", high,
        )  # fmt: skip
        raise invalid(
            f"Invalid '{name}': decimal {side} value. Expected a value {sign} {bound}, but got "
            f"{value} instead.",
            param=name,
            code=f"decimal_{side.replace(' ', '_').replace('imum', '')}_value",
        )


def _boolean(values: dict[str, Any], name: str) -> bool:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong_type(name, "a boolean", value)
    return bool(value)


def _wrong_type(path: str, wanted: str, value: object) -> Exception:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    names |= {int: "an integer", float: "a decimal", type(None): "null"}
    return invalid(
        f"Invalid type for '{path}': expected {wanted}, but got {names[type(value)]} instead.",
        param=path,
        code="invalid_type",
    )
