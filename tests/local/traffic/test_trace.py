"""Recorded traffic is merged, and cut into slices."""

import gzip
from pathlib import Path

from local.traffic import trace
from local.traffic.trace import Call, read_slice


def write(path: Path, *rows: str) -> None:
    with gzip.open(path, "wt") as file:
        file.write("\r\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]) + "\r\n")


def test_both_traces_are_merged_and_cut_relative_to_the_first_call(tmp_path: Path) -> None:
    write(
        tmp_path / trace.FILES[0],
        "2023-11-16 18:00:00.0000000,1,2",
        "2023-11-16 18:00:12.5000000,3,4",
    )
    write(
        tmp_path / trace.FILES[1],
        "2023-11-16 18:00:11.0000000,5,6",
        "2023-11-16 18:00:20.0000000,7,8",
    )
    assert read_slice(start=10, seconds=10, folder=tmp_path) == [
        Call(at=1.0, prompt_tokens=5, output_tokens=6),
        Call(at=2.5, prompt_tokens=3, output_tokens=4),
    ]
