"""Traces of one's own: what is read, and what is said of a file that is none."""

import gzip
from pathlib import Path

import pytest

from benchmarks.control.traces import TraceError, read_calls, read_jobs, thinned
from local.traffic.trace import Call

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trace.csv"


def read(file: Path, text: str) -> list[Call]:
    file.write_text(text, encoding="utf-8")
    return read_calls([file])


def test_seven_digits_of_a_second_are_read(file: Path) -> None:
    calls = read(
        file,
        HEADER + "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n",
    )
    assert calls[0] == Call(0.0, 374, 44)
    assert calls[1].at == pytest.approx(4.314579, abs=1e-6)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(("2026-01-01T00:00:00Z", "2026-01-01T01:00:02+01:00"), id="zones"),
        pytest.param(("1700000000.5", "1700000002.5"), id="seconds under TIMESTAMP"),
    ],
)
def test_the_time_is_taken_as_it_is_written(file: Path, times: tuple[str, str]) -> None:
    calls = read(file, HEADER + "".join(f"{time},1,1\n" for time in times))
    assert [call.at for call in calls] == [0.0, 2.0]


def test_seconds_serve_as_well_and_further_columns_do_no_harm(file: Path) -> None:
    calls = read(file, "id,GeneratedTokens,seconds,ContextTokens\na,2,10,1\nb,4,12.5,3\n")
    assert calls == [Call(0.0, 1, 2), Call(2.5, 3, 4)]


def test_what_is_not_in_order_is_put_in_order(file: Path) -> None:
    calls = read(file, "seconds,ContextTokens,GeneratedTokens\n9,3,3\n5,1,1\n7,2,2\n")
    assert calls == [Call(0.0, 1, 1), Call(2.0, 2, 2), Call(4.0, 3, 3)]


def test_a_compressed_file_is_known_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    text = "seconds,ContextTokens,GeneratedTokens\n0,1,1\n1,1,1\n"
    file.write_bytes(gzip.compress(text.encode("utf-8-sig")))
    assert len(read_calls([file])) == 2


def test_several_files_are_merged_by_their_times(tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text("seconds,ContextTokens,GeneratedTokens\n10,1,1\n12,1,1\n")
    other.write_text("seconds,ContextTokens,GeneratedTokens\n11,2,2\n")
    assert [call.prompt_tokens for call in read_calls([one, other])] == [1, 2, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param(HEADER, "no call in it", id="only a header"),
        pytest.param(HEADER + "2026-01-01,1,1\n", "two calls at different times", id="one call"),
        pytest.param(HEADER + "5,1,1\n5,1,1\n", "two calls at different times", id="one moment"),
        pytest.param(
            "seconds,ContextTokens\n1,1\n", "no column GeneratedTokens", id="a column is missing"
        ),
        pytest.param(
            "when,ContextTokens,GeneratedTokens\n1,1,1\n",
            r"no column TIMESTAMP \(or seconds\); its columns are when,",
            id="no time",
        ),
        pytest.param(
            HEADER + "yesterday,1,1\n", "line 2: 'yesterday' is not a time", id="bad time"
        ),
        pytest.param(HEADER + "1,1,1\nnan,1,1\n", "line 3: 'nan' is not a time", id="not a number"),
        pytest.param(HEADER + "1,-4,1\n", "'-4' is not a number of tokens", id="negative tokens"),
        pytest.param(HEADER + "1,many,1\n", "line 2: .*'many'", id="tokens in words"),
        pytest.param(HEADER + "1,1\n", "line 2: ", id="a short line"),
    ],
)
def test_a_file_that_is_no_trace_is_told_what_is_wrong(file: Path, text: str, says: str) -> None:
    with pytest.raises(TraceError, match=says) as caught:
        read(file, text)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"nowhere\.csv: cannot be read"):
        read_calls([tmp_path / "nowhere.csv"])


def test_a_file_that_is_not_text_cannot_be_read(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00\x01" * 9)
    with pytest.raises(TraceError, match="cannot be read"):
        read_calls([file])


def test_every_tenth_call_is_kept() -> None:
    calls = [Call(float(second), 1, 1) for second in range(30)]
    assert [call.at for call in thinned(calls, keep_every=10)] == [0.0, 10.0, 20.0]


def test_the_backlog_has_the_lengths_of_the_arxiv_jobs() -> None:
    jobs = read_jobs()
    assert len(jobs) == 28_257
    assert jobs[0] == (3772, 54)
