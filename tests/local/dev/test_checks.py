"""How failing checks are shown."""

import sys
from pathlib import Path

import pytest

from local.dev.checks import Check, checks, run_checks


def test_each_check_gets_a_line_and_a_failing_one_its_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Check("good", (sys.executable, "-c", "print('not shown')"))
    bad = Check("bad", (sys.executable, "-c", "import sys; print('because'); sys.exit(1)"))
    assert run_checks([good, bad], root=tmp_path) == ["bad"]
    said = capsys.readouterr().out
    assert "good    ok" in said
    assert "bad     FAILED" in said
    assert "because" in said
    assert "not shown" not in said


def test_fixing_changes_what_ruff_does_and_nothing_else() -> None:
    assert ["--check" in c.command for c in checks()] == [True, False, False]
    assert ["--fix" in c.command for c in checks(fix=True)] == [False, True, False]
