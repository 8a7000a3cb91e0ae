"""The picture: an SVG that says who filled what, and marks whom it refused."""

from dataclasses import replace
from xml.etree import ElementTree

from benchmarks.control.picture import picture
from benchmarks.control.row import Sample
from tests.benchmarks.control.rows import result, row

SVG = "{http://www.w3.org/2000/svg}"

SAMPLES = tuple(
    Sample(at=60.0 * minute, interactive=0.4, batch=0.5, level=0.1) for minute in range(1, 31)
)


def test_it_is_one_panel_a_row_and_says_what_each_did() -> None:
    ours = replace(result(), samples=SAMPLES, refusals=(90.0, 90.01), refusals_alone=(90.0,))
    threshold = replace(
        result(row(policy="threshold"), ratio=0.7, refused=12), samples=SAMPLES, refusals=()
    )
    drawn = ElementTree.fromstring(picture([threshold, ours]))
    texts = [text.text or "" for text in drawn.iter(f"{SVG}text")]
    assert any("70.0% of the idle capacity filled, +12 interactive" in text for text in texts)
    assert any("this app: 99.0% of the idle capacity filled, +0" in text for text in texts)
    assert "30 min" in texts
    strokes = [path.get("stroke") for path in drawn.iter(f"{SVG}path") if path.get("stroke")]
    assert len(strokes) == 2, "two refusals at one moment are one mark, and one without batch"


def test_nothing_of_it_lies_outside() -> None:
    drawn = ElementTree.fromstring(picture([replace(result(), samples=SAMPLES)]))
    _, _, width, height = map(float, (drawn.get("viewBox") or "").split())
    for text in drawn.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x") or -1) <= width
        assert 0 <= float(text.get("y") or -1) <= height
