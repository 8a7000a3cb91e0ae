"""What the site shows differently from the repository's own pages, as a Python-Markdown extension.

A page links to the code it speaks of, so that a reader of the repository gets there with a click.
The site has no such file: there the link becomes text that names the file. And a page begins with a
list of its headings, which the site shows beside the page already: that list is marked, to be
hidden where there is room for the other. Runs in the site's environment, inside the generator.
"""

from __future__ import annotations

import posixpath
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from zensical.extensions.context import ContextPreprocessor

AFTER_INLINE = 10
"""Python-Markdown makes links with priority 20."""


def path_in_repository(page: str, href: str) -> str | None:
    """The file that a link of `page` (relative to docs/) means, or None if it stays in the site."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), parts.path))
    return target.removeprefix("../") if target.startswith("../") else None


def is_contents(element: Element) -> bool:
    """A list of nothing but links to headings of the same page."""
    links = [link.get("href", "") for link in element.iter("a")]
    return (
        element.tag == "ul"
        and len(links) == len(element.findall("li"))
        and all(href.startswith("#") for href in links)
    )


class _ForTheSite(Treeprocessor):
    def run(self, root: Element) -> None:
        context = ContextPreprocessor.from_markdown(self.md)
        if context is None:  # not a page: a fragment that the generator renders on its own
            return
        for link in root.iter("a"):
            path = path_in_repository(context.page.path, link.get("href", ""))
            if path is not None:
                link.tag = "span"
                link.attrib = {"class": "in-repository", "title": f"{path} in the repository"}
        contents = next(filter(is_contents, root), None)
        if contents is not None:
            contents.set("class", "contents")


class PagesExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        md.treeprocessors.register(_ForTheSite(md), "for_the_site", AFTER_INLINE)


def makeExtension(**options: object) -> PagesExtension:
    return PagesExtension(**options)
