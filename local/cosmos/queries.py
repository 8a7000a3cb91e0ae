"""Queries on one partition: a page at a time, resumed by a continuation."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from .containers import Container
from .errors import CosmosError, bad_request
from .items import Items
from .sql import UNDEFINED, Plan, SqlError, parse, plan
from .sql.syntax import Property

DEFAULT_PAGE_ITEMS: Final = 100
MAX_PAGE_ITEMS: Final = 1_000
"""Also what -1, "as many as fit", comes to."""
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Results as JSON, and where the next page starts."""

    results: list[bytes]
    continuation: str | None
    loaded_bytes: int
    """What had to be looked at."""


def run_query(
    items: Items,
    container: Container,
    key: str,
    body: Any,
    *,
    page_items: int = DEFAULT_PAGE_ITEMS,
    continuation: str | None = None,
) -> Page:
    """`body` is that of an `application/query+json` request. Raises `CosmosError` 400."""
    text, parameters = _read(body)
    try:
        query = parse(text)
        planned = plan(query, parameters)
    except SqlError as error:
        raise syntax_error(str(error)) from error
    container.indexing.check_order(
        [(_path(order.path), order.descending) for order in planned.order]
    )
    # a continuation belongs to its query: with another it would skip what it has not seen
    mark = zlib.crc32(orjson.dumps([text, parameters], option=orjson.OPT_SORT_KEYS))
    position = _position(continuation, mark)
    run = _Run(items, container, key, planned)
    page = run.stream if planned.streams else run.gather
    results, following = page(position, page_items)
    return Page(
        results=results,
        continuation=None if following is None else _token(following, mark),
        loaded_bytes=run.loaded_bytes,
    )


def page_items(header: str | None) -> int:
    """From `x-ms-max-item-count`. Raises `CosmosError` 400."""
    if header is None:
        return DEFAULT_PAGE_ITEMS
    try:
        count = int(header)
    except ValueError:
        count = 0
    if count == -1:
        return MAX_PAGE_ITEMS
    if count < 1:
        raise bad_request(f"x-ms-max-item-count must be -1 or a positive number, not {header}.")
    return min(count, MAX_PAGE_ITEMS)


def syntax_error(message: str) -> CosmosError:
    """400 as the query engine words it."""
    problem = {"severity": "Error", "code": "SC1001", "message": message}
    return bad_request("Message: " + orjson.dumps({"errors": [problem]}).decode())


class _Run:
    def __init__(self, items: Items, container: Container, key: str, planned: Plan) -> None:
        self._items = items
        self._container = container
        self._key = key
        self._plan = planned
        self.loaded_bytes = 0

    def stream(self, after: int, count: int) -> tuple[list[bytes], int | None]:
        """Items whose number is above `after`; resumes behind the last one given."""
        results: list[bytes] = []
        size = 0
        last = after
        for number, body, item in self._matching(after):
            result = self._result(body, item)
            if result is None:
                continue
            if results and (len(results) == count or size + len(result) > MAX_PAGE_BYTES):
                return results, last
            results.append(result)
            size += len(result)
            last = number
        return results, None

    def gather(self, skip: int, count: int) -> tuple[list[bytes], int | None]:
        """All that match, in order; resumes after so many results."""
        planned = self._plan
        found = list(self._matching(0, needs_item=bool(planned.sort_keys)))
        if planned.counts:
            return [orjson.dumps(len(found))], None
        # sorts are stable: the last key first
        for order, sort_key in reversed(list(zip(planned.order, planned.sort_keys, strict=True))):
            found.sort(key=lambda entry: sort_key(entry[2] or {}), reverse=order.descending)
        results = (
            result for _, body, item in found if (result := self._result(body, item)) is not None
        )
        end = None if planned.limit is None else planned.skip + planned.limit
        kept = list(results)[planned.skip : end]
        page: list[bytes] = []
        size = 0
        for result in kept[skip : skip + count]:
            if page and size + len(result) > MAX_PAGE_BYTES:
                break
            page.append(result)
            size += len(result)
        following = skip + len(page)
        return page, following if following < len(kept) else None

    def _matching(
        self, after: int, *, needs_item: bool = False
    ) -> Iterator[tuple[int, bytes, dict[str, Any] | None]]:
        planned = self._plan
        matches, needles = planned.matches, planned.needles
        parses = needs_item or matches is not None
        for number, body in self._items.scan(self._container, self._key, after=after):
            self.loaded_bytes += len(body)
            # searching bytes is many times quicker than parsing them
            if needles and not all(needle in body for needle in needles):
                continue
            item = orjson.loads(body) if parses else None
            if matches is None or (item is not None and matches(item)):
                yield number, body, item

    def _result(self, body: bytes, item: dict[str, Any] | None) -> bytes | None:
        select = self._plan.select
        if select is None:
            return body
        value = select(orjson.loads(body) if item is None else item)
        return None if value is UNDEFINED else orjson.dumps(value)


def _read(body: Any) -> tuple[str, dict[str, Any]]:
    text = body.get("query") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise bad_request("A query is a JSON object with the string 'query' and 'parameters'.")
    listed = body.get("parameters") or []
    if not isinstance(listed, list) or not all(
        isinstance(each, dict)
        and isinstance(each.get("name"), str)
        and each["name"].startswith("@")
        and "value" in each
        for each in listed
    ):
        raise bad_request(
            "Query parameters are objects with a 'name' that starts with @ and a 'value'."
        )
    return text, {each["name"]: each["value"] for each in listed}


def _path(path: Property) -> tuple[str, ...]:
    return tuple(str(name) for name in path.names)


def _token(position: int, mark: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([position, mark])).decode()


def _position(continuation: str | None, mark: int) -> int:
    if not continuation:
        return 0
    try:
        position, of_query = orjson.loads(base64.urlsafe_b64decode(continuation))
    except (ValueError, TypeError, binascii.Error) as error:
        raise bad_request("Invalid Continuation Token") from error
    if of_query != mark or not isinstance(position, int):
        raise bad_request("Invalid Continuation Token: it is another query's.")
    return position
