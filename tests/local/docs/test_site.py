"""The documentation site: it is built, it is whole, and it needs nobody else's server."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from local.dev import paths
from local.dev.commands import docs
from local.docs import check, site, tools

SITE = paths.ROOT / ".local" / "site"


@pytest.fixture(scope="module")
def generator() -> Path:
    return tools.ensure(venv=Path(sys.prefix))


@pytest.fixture(scope="module")
def built(generator: Path) -> Path:
    """`./dev docs`, once: it is what the other tests look at."""
    problems = site.build(generator)
    assert problems == []
    return SITE


def copy_of_the_documentation(folder: Path) -> Path:
    shutil.copytree(paths.ROOT / "docs", folder / "docs")
    shutil.copy(paths.ROOT / site.CONFIG, folder)
    return folder / "docs"


# --- the site as it is ----------------------------------------------------------------------------


def test_every_page_of_the_documentation_is_in_the_site(built: Path) -> None:
    pages = {path.with_suffix("") for path in (paths.ROOT / "docs").rglob("*.md")}
    names = {str(path.relative_to(paths.ROOT / "docs")) for path in pages}
    assert {name.removesuffix(".html") for name in check.pages(built)} == names


def test_what_the_generator_would_load_from_a_cdn_lies_in_the_site(built: Path) -> None:
    for name in tools.SCRIPTS.values():
        assert (built / "assets" / "vendor" / name).stat().st_size > 1_000
    loaded = check.read(built / "index.html").loads
    assert "./assets/vendor/iframe-worker.js" in loaded
    assert "./assets/diagrams.js" in loaded


def test_a_diagram_is_there_as_text_for_who_cannot_draw_it(built: Path) -> None:
    assert '<pre class="mermaid">' in (built / "design.html").read_text(encoding="utf-8")


def test_a_link_into_the_repository_names_the_file_instead(built: Path) -> None:
    page = (built / "settings.html").read_text(encoding="utf-8")
    assert 'title="ptu_optimizer/settings/settings.py in the repository"' in page
    assert 'href="../ptu_optimizer' not in page


def test_search_finds_what_a_page_says(built: Path) -> None:
    index = json.loads((built / "search.json").read_text(encoding="utf-8"))
    found = {item["location"] for item in index["items"] if "INVOCATION_BUDGET" in item["text"]}
    assert "settings.html#dispatch" in found


class Structure(HTMLParser):
    """How many lists, tables, blocks and headings there are."""

    COUNTED = frozenset({"ul", "ol", "li", "tr", "pre", "blockquote", "h2", "h3", "h4", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.COUNTED:
            self.counts[tag] += 1


PAGES = sorted((paths.ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_the_structure_that_it_has_in_the_repository(built: Path, page: Path) -> None:
    """The site's Markdown is another dialect: there a list needs an empty line before it, and a
    line that begins with a number and a full stop is a list."""
    text = page.read_text(encoding="utf-8")
    in_repository = Structure(MarkdownIt("commonmark").enable("table").render(text)).counts
    name = page.relative_to(paths.ROOT / "docs").with_suffix(".html")
    html = (built / name).read_text(encoding="utf-8")
    article = html[html.index("<article") : html.index("</article>")]
    assert Structure(article).counts == in_repository


# --- what stops the build -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("[there](nowhere.md)", "page does not exist", id="a page that is not there"),
        pytest.param("[there](api.md#nowhere)", "anchor does not exist", id="a missing heading"),
        pytest.param("![it](images/no.svg)", "images/no.svg is not there", id="a missing picture"),
        pytest.param(
            "![it](https://example.com/it.svg)", "index.html loads https", id="a foreign picture"
        ),
    ],
)
def test_a_page_that_refers_to_what_is_not_there(
    tmp_path: Path, generator: Path, text: str, complaint: str
) -> None:
    index = copy_of_the_documentation(tmp_path) / "index.md"
    index.write_text(f"{index.read_text(encoding='utf-8')}\n{text}\n", encoding="utf-8")
    [problem] = site.build(generator, root=tmp_path)
    assert complaint in problem
    assert "Traceback" not in problem


def test_a_page_that_nobody_can_reach(tmp_path: Path, generator: Path) -> None:
    (copy_of_the_documentation(tmp_path) / "forgotten.md").write_text("# Forgotten\n")
    assert site.build(generator, root=tmp_path) == [
        "forgotten.html is not in the navigation (zensical.toml)"
    ]


def test_a_page_of_the_navigation_that_was_taken_away(tmp_path: Path, generator: Path) -> None:
    (copy_of_the_documentation(tmp_path) / "ledger.md").unlink()
    assert site.build(generator, root=tmp_path) != []


def test_what_is_wrong_is_said_and_fails_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.report(["a.html loads https://b"], seconds=1.0) == 1
    assert "a.html loads https://b" in capsys.readouterr().out
    assert docs.report([], seconds=1.0) == 0
