"""The real traffic and the real questions of the demo."""

import gzip
from pathlib import Path

import pytest

from local.demo import demo, questions, trace
from local.demo.trace import Call, read_slice
from local.system.options import Deployment

INPUT_TPM_PER_PTU, RATIO = 3_000, 4


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


def test_the_slice_of_the_demo_leaves_about_half_of_the_ptu_idle() -> None:
    calls = read_slice(start=demo.SLICE_START_SECONDS, seconds=demo.SLICE_SECONDS)
    work = sum(call.prompt_tokens + RATIO * call.output_tokens for call in calls)
    drained = Deployment().ptus * INPUT_TPM_PER_PTU / 60 * demo.SLICE_SECONDS
    assert work / drained == pytest.approx(0.5, abs=0.1)


def test_there_are_1319_questions_all_different() -> None:
    bodies = questions.read_questions(1_319)
    assert len({body["messages"][1]["content"] for body in bodies}) == 1_319
    assert {body["max_tokens"] for body in bodies} == {questions.MAX_TOKENS}


def test_more_than_there_are_start_again() -> None:
    bodies = questions.read_questions(1_320)
    assert bodies[1_319] == bodies[0]
