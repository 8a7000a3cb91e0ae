"""The command line, end to end on a trace of one's own."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.control.__main__ import main
from tests.benchmarks.control.test_targets import KEYS

HEADER = "seconds,ContextTokens,GeneratedTokens\n"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "steady.csv"
    file.write_text(HEADER + "".join(f"{second / 5},600,100\n" for second in range(300)))
    return file


def test_a_trace_of_ones_own_gives_rows_in_json_on_the_last_line(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--trace", str(trace), "--processes", "1", "--bucket-seconds", "10"]
    arguments += ["--signals", "live", "--policies", "ours", "--json", "--check"]
    assert main(arguments) == 0
    out = capsys.readouterr()
    [row] = json.loads(out.out.splitlines()[-1])["rows"]
    assert set(row) >= KEYS
    assert (row["scenario"], row["policy"], row["processes"]) == ("custom", "ours", 1)
    assert row["batch_share"] > 0
    assert "300 calls in 60 s on" in out.err


def test_the_picture_is_written_where_it_is_asked_for(trace: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "picture.svg"
    assert main(["--trace", str(trace), "--processes", "1", "--plot", str(drawn)]) == 0
    assert ElementTree.fromstring(drawn.read_text()).tag.endswith("svg")


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        pytest.param("a,b\n1,2\n", [], "has no column TIMESTAMP", id="no trace"),
        pytest.param(HEADER, [], "there is no call in it", id="empty"),
        pytest.param(HEADER + "0,1,1\n", [], "two calls at different times", id="one call"),
        pytest.param(
            HEADER + "0,90000,0\n9,90000,0\n", ["--ptus", "1"], "more --ptus", id="nothing idle"
        ),
    ],
)
def test_what_cannot_be_played_is_said_and_not_raised(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    options: list[str],
    says: str,
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content)
    assert main(["--trace", str(file), *options]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert str(file) in err or "custom" in err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--processes", "0"], id="no process"),
        pytest.param(["--bucket-seconds", "-1"], id="a negative depth"),
        pytest.param(["--ptus", "0.5"], id="half a PTU"),
        pytest.param(["--signals", "smoke"], id="a signal that is none"),
        pytest.param(["--model", "gpt-1"], id="a model that is none"),
        pytest.param(["--trace", "x.csv", "--scenarios", "A"], id="both a trace and a scenario"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "error" in capsys.readouterr().err
