"""What must hold of the built site, beyond what its generator checks.

Every link and every anchor leads somewhere, nothing is loaded from elsewhere, every page is in the
navigation, and search knows it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}


@dataclass
class Page:
    """What one HTML file refers to."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    """What a browser fetches without being asked."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.page.ids.add(given["id"])
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        elif tag == "link" and LOADED_LINKS.intersection(given.get("rel", "").split()):
            self.page.loads.append(given.get("href", ""))
        elif "src" in given:
            self.page.loads.append(given["src"])


@cache
def read(path: Path) -> Page:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def built(site: Path) -> Iterator[str]:
    """What is wrong in the folder that the generator has written."""
    read.cache_clear()
    yield from loaded_from_elsewhere(site)
    yield from leading_nowhere(site)
    yield from not_in_the_navigation(site)
    yield from not_found_by_search(site)


def loaded_from_elsewhere(site: Path) -> Iterator[str]:
    for path in sorted(site.rglob("*.html")):
        for target in filter(is_elsewhere, read(path).loads):
            yield f"{path.relative_to(site)} loads {target}"
    for path in sorted(site.rglob("*.css")):
        for target in re.findall(r"url\(\s*['\"]?([^'\")]+)", path.read_text(encoding="utf-8")):
            if is_elsewhere(target) and not target.startswith("data:"):
                yield f"{path.relative_to(site)} loads {target}"


def leading_nowhere(site: Path) -> Iterator[str]:
    """By target: what the navigation gets wrong is wrong on every page."""
    nowhere: dict[str, set[str]] = {}
    for path in sorted(site.rglob("*.html")):
        page = read(path)
        for target in [*page.links, *page.loads]:
            if not is_elsewhere(target):
                missing = missing_place(site, path, target)
                if missing is not None:
                    nowhere.setdefault(missing, set()).add(str(path.relative_to(site)))
    for missing, referring in nowhere.items():
        first, *others = sorted(referring)
        more = f" and {len(others)} more" if others else ""
        yield f"{missing} is not there; {first}{more} refers to it"


def missing_place(site: Path, page: Path, target: str) -> str | None:
    """The file or the anchor that a link of `page` means, if that is not there."""
    parts = urlsplit(target)
    place, fragment = unquote(parts.path), unquote(parts.fragment)
    if not place:
        file = page
    elif place.startswith("/"):
        file = site / place.lstrip("/")
    else:
        file = Path(os.path.normpath(page.parent / place))
    file = file / "index.html" if file.is_dir() else file
    if not file.is_file():
        return os.path.relpath(file, site)
    if fragment and file.suffix == ".html" and fragment not in read(file).ids:
        return f"{os.path.relpath(file, site)}#{fragment}"
    return None


def not_in_the_navigation(site: Path) -> Iterator[str]:
    """The navigation is the same on each page, so the first page has all of it."""
    links = (unquote(urlsplit(link).path) for link in read(site / "index.html").links)
    listed = {os.path.normpath(place) for place in links if place}
    for name in pages(site):
        if name not in listed:
            yield f"{name} is not in the navigation (zensical.toml)"


def not_found_by_search(site: Path) -> Iterator[str]:
    index = json.loads((site / "search.json").read_text(encoding="utf-8"))
    known = {urlsplit(item["location"]).path for item in index["items"]}
    for name in pages(site):
        if name not in known:
            yield f"search does not know {name}"


def pages(site: Path) -> Iterator[str]:
    for path in sorted(site.rglob("*.html")):
        if path.name != "404.html":
            yield str(path.relative_to(site))


def is_elsewhere(target: str) -> bool:
    parts = urlsplit(target)
    return bool(parts.scheme or parts.netloc)
