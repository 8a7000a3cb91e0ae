"""The real traffic and the real questions of the demo."""

import pytest

from local.demo import demo, questions
from local.system.options import Deployment
from local.traffic.trace import read_slice

INPUT_TPM_PER_PTU, RATIO = 3_000, 4


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
