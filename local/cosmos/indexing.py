"""Indexing policies: which property paths can be sorted by.

Filters work without an index, at a price; ORDER BY does not work at all. Paths are those of the
policy: `/a/b/?` is the value there, `/a/b/*` that and everything below it, `/a/[]/b` array members.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from .errors import bad_request

Path = tuple[str, ...]
"""Property names from the item's root."""

DEFAULT_POLICY: Final[dict[str, Any]] = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}

_SEGMENT: Final = re.compile(r'/(?:"((?:[^"\\]|\\.)*)"|([^/"]+))')


@dataclass(frozen=True, slots=True)
class _Rule:
    names: Path
    below: bool

    def covers(self, path: Path) -> bool:
        if self.below:
            return path[: len(self.names)] == self.names
        return path == self.names


@dataclass(frozen=True, slots=True)
class IndexingPolicy:
    """The policy of one container. Built by `parse`, which refuses what Azure refuses."""

    active: bool
    included: tuple[_Rule, ...]
    excluded: tuple[_Rule, ...]
    composites: tuple[tuple[tuple[Path, bool], ...], ...]
    """Per composite index, its paths and whether each is descending."""

    @classmethod
    def parse(cls, policy: dict[str, Any]) -> IndexingPolicy:
        """Raises `CosmosError` 400 for a policy that Azure would refuse."""
        mode = str(policy.get("indexingMode", "consistent")).lower()
        if mode not in ("consistent", "none"):
            raise bad_request(f"indexingMode {mode!r} is not consistent or none.")
        included = _rules(policy.get("includedPaths", []), "includedPaths")
        excluded = _rules(policy.get("excludedPaths", []), "excludedPaths")
        root = _Rule((), below=True)
        if mode == "consistent" and root not in included and root not in excluded:
            raise bad_request(
                'The special mandatory indexing path "/" is not provided in any of the path type '
                "sets. Please provide this path in one of the sets."
            )
        composites = tuple(
            tuple(
                (_names(str(part["path"])), str(part.get("order", "ascending")) == "descending")
                for part in index
            )
            for index in policy.get("compositeIndexes", [])
        )
        return cls(mode == "consistent", included, excluded, composites)

    def indexes(self, path: Path) -> bool:
        """Whether the value at `path` is in the index: the most precise rule wins."""
        if not self.active:
            return False
        return _precision(self.included, path) > _precision(self.excluded, path)

    def check_order(self, order: Sequence[tuple[Path, bool]]) -> None:
        """`order` is paths and whether each is descending. Raises `CosmosError` 400."""
        if len(order) > 1:
            ascending = tuple(order)
            reverse = tuple((path, not descending) for path, descending in order)
            if ascending not in self.composites and reverse not in self.composites:
                raise bad_request(
                    "The order by query does not have a corresponding composite index that it can "
                    "be served from."
                )
            return
        for path, _ in order:
            if not self.indexes(path):
                raise bad_request(
                    "The order-by item /" + "/".join(path) + " is excluded from the index; add "
                    "its path to includedPaths of the container's indexingPolicy."
                )


def _precision(rules: tuple[_Rule, ...], path: Path) -> float:
    """How precisely any of the rules names `path`; the exact path beats everything below it."""
    return max(
        (len(rule.names) + (0.0 if rule.below else 0.5) for rule in rules if rule.covers(path)),
        default=-1.0,
    )


def _rules(paths: Any, field: str) -> tuple[_Rule, ...]:
    if not isinstance(paths, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("path"), str) for entry in paths
    ):
        raise bad_request(f'{field} must be a list of objects like {{"path": "/*"}}.')
    return tuple(_rule(entry["path"]) for entry in paths)


def _rule(path: str) -> _Rule:
    if path.endswith("/*"):
        return _Rule(_names(path[:-2]), below=True)
    if path.endswith("/?"):
        return _Rule(_names(path[:-2]), below=False)
    raise bad_request(f"The indexing path '{path}' must end in /? or /*.")


def _names(path: str) -> Path:
    names: list[str] = []
    position = 0
    while position < len(path):
        found = _SEGMENT.match(path, position)
        if found is None:
            raise bad_request(f"The indexing path '{path}' could not be accepted.")
        names.append(found[1] if found[1] is not None else found[2])
        position = found.end()
    return tuple(names)
